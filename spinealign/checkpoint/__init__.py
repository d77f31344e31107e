"""Checkpoints: files, settings, lookup and engines."""
