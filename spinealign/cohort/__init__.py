"""Collections of labeled images.

| module | contents |
|---|---|
| `cohort` | `Sample` and `Cohort`: what is known of each image, without pixels |
| `options`, `manifest` | how a collection is read; tables with one row per image |
| `folders`, `naming`, `moved` | layouts of labeled folders; what names say; files that moved |
| `indexing`, `hub_rows` | `index_cohort`: find the images in folders, archives, a manifest or a Hub dataset |
| `class_names` | spelling of classes, classes that a split lacks |
| `rsna2022` | slice labels of the RSNA 2022 competition |
| `targets` | `target_of`: the labels of a training; codes of classes |
| `loading` | `read_cohort`: read each file once into a `LoadedCohort` |
| `rendering`, `file_properties` | what is read from a file: images, measures, identity |
| `image_store`, `image_cache` | rendered images in memory-mapped Arrow files; the folder that has them |
| `splitting` | `load_cohort`, `split_images`: join copies, split by source or patient, resolve leakage |
| `duplicates/` | visual similarity and the grouping of copies |
| `audit/` | `audit`: counts, leaks, and shortcuts to the label |
| `landmarks/` | `load_films`: films with the corners of their vertebrae |
"""
