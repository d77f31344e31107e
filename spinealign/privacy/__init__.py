"""Patient privacy: `rewriting.rewrite` removes identifying metadata from image files, and `pseudonyms` replaces names.

No function here returns text of a header.
"""
