"""Reading of image files.

Entry points:
    slices.read_slice: one image of any accepted kind -> `Slice`. `raster.py` (PNG, JPEG, Pillow images, arrays) and
        `dicom.py` (one DICOM file) decode it; `kinds.py` detects the file type by content.
    discovery.expand_paths: files, folders and globs -> list of files.

To add a format, write a module with a function from bytes to `Slice`, register its signature in `kinds.suffix_of`, and
call it from `slices.py`. A reader of several files, such as a DICOM series, is a module of its own that returns ordered
`Slice`s; `discovery` and `cohort.indexing` are its callers.
"""
