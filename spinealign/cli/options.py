"""What several commands share."""

from __future__ import annotations

import argparse


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a model, its revision and the engine."""
    parser.add_argument("--model", metavar="MODEL", help="Hub id or checkpoint folder (default: the embedded model)")
    parser.add_argument("--revision", help="branch, tag or commit of a model on the Hub")
    parser.add_argument(
        "--engine", choices=("onnx", "torch"), default="onnx", help="what runs it (default: %(default)s)"
    )
