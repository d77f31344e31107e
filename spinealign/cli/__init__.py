"""Command line: one module per command, each a call of a public function."""

from spinealign.cli.program import main

__all__ = ["main"]
