"""Command line."""

from spinealign.cli.program import main

__all__ = ["main"]
