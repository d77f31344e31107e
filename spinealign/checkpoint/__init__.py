"""Checkpoints: files, settings, record, lookup and engines."""
