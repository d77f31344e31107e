"""Collections of sagittal slices with masks of vertebrae, or with boxes of discs.

| module | contents |
|---|---|
| `labeled`, `boxed` | `LabeledSlice` and `BoxedSlice`: what is known of each slice, on a grid of 1 mm |
| `drawn` | slices with label images, as collections write them |
| `tables`, `lumbar_mri`, `spider`, `volumes` | readers of a documented format and of two collections |
| `structures` | masks of bodies and of what is unknown, from label images |
| `s1_labels` | masks of S1, which collections do not label |
| `loading` | `load_slices`: read and label collections |
| `folds` | `patient_folds`: folds over patients |
| `sheet` | `contact_sheet`: slices with outlines, to look at the labels |
"""
