"""Collections of films with the corners of their vertebrae.

| module | contents |
|---|---|
| `film` | `Film` and `LandmarkCohort`: what is known of each film |
| `annotations` | corners from tables, COCO files and Hub datasets, as they are written there |
| `checking`, `repairs` | checks of the labels; a file of corrections |
| `grouping` | films that may show the same radiograph or patient; folds over such groups |
| `twins` | `find_twins`: films that show the same radiograph, by corners and pixels |
| `loading` | `load_films`: read, check and group a collection |
| `auditing` | `audit_films`: labels, and films of one radiograph, as a report |
"""
