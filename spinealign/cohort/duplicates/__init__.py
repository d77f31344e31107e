"""Detection of copies of one slice."""
