"""Pixels: read files, window, enhance, draw phantoms."""
