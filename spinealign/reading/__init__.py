"""Reading of image files: `slices.read_slice` reads one image, and `discovery.expand_paths` lists files.

To add a format, write a module with a function from bytes to `Slice`, register its signature in `kinds.suffix_of`, and
call it from `slices.py`. A reader of several files, such as a DICOM series, is a module of its own that returns ordered
`Slice`s; `discovery` and `cohort.indexing` are its callers.
"""
