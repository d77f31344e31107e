"""Reading of image files.

`slices.read_slice` reads one image, `discovery` lists the images of a folder or archive, and `files.read_file` reads a
file, also one in an archive.

To add a format, write a module with a function from bytes and a `Request` to `Slice`, register its signature in
`kinds`, and call it from `slices`.
"""
