"""Drawn images with known truth."""
