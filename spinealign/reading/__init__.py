"""Reading of image files: `slices.read_slice` reads one image, and `discovery.expand_paths` lists files.

To add a format, write a module with a function from bytes and a `Request` to `Slice`, register its signature in
`kinds`, and call it from `slices`.
"""
