"""Audit of a collection: counts, leaks between splits, and shortcuts to the label."""
