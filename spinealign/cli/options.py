"""What several commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spinealign.hub.repository import Commit


def told_of(commit: Commit) -> str:
    """Return the line that says what a push did."""
    return f"{'Pushed to' if commit.changed else 'Nothing has changed since'} {commit.url}"


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a model, its revision and the engine."""
    parser.add_argument("--model", metavar="MODEL", help="Hub id or checkpoint folder (default: the embedded model)")
    parser.add_argument("--revision", help="branch, tag or commit of a model on the Hub")
    parser.add_argument(
        "--engine", choices=("onnx", "torch"), default="onnx", help="what runs it (default: %(default)s)"
    )
