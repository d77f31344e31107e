"""Results written for people: tables, HTML pages, figures, cards.

To add a format, write a module here that takes a result type, and a lazy `save_*` method of that type that calls it.
"""
