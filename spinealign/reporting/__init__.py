"""Results written for people: text tables, HTML pages, figures, the model card.

To add a format, write a module here that takes a result type, and a lazy `save_*` method of that type that calls it.
"""
