"""Reading of images: `slices.read_slice` reads one image, and `volumes.read_volume` a scan in three dimensions.

`discovery` lists the images of a folder or archive, and `files.read_file` reads a file, also one in an archive. To add
a format, write a module with a function from bytes and a `Request` to `Slice` or `Volume`, register its signature in
`kinds`, and call it from `slices` or `volumes`.
"""
