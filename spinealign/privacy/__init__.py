"""Patient privacy: detection of identifying metadata in image files, and pseudonyms.

`identifiers.identifiers_in` lists what may identify a patient, in DICOM headers (`identifiers.py`) and in PNG and JPEG
metadata (`metadata.py`). `pseudonyms.read_identity` and `numbered` replace patient and series identifiers. No function
here returns text of a header.
"""
