"""The command line: parse, call, print."""

from spinealign.cli.program import main

__all__ = ["main"]
