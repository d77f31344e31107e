"""Options that several commands share."""

from __future__ import annotations

import argparse
from typing import Any


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the collection and its source pattern."""
    parser.add_argument("data", metavar="DATA", help="folder, CSV manifest or Hub dataset id")
    parser.add_argument(
        "--source_pattern", metavar="REGEX", help="pattern of file names with a group (?P<source>...) for the source"
    )


def add_model_options(parser: argparse.ArgumentParser, *, device: bool = True) -> None:
    """Add the model, its revision, the engine and its device."""
    parser.add_argument("--model", metavar="MODEL", help="Hub id or checkpoint folder (default: the embedded model)")
    parser.add_argument("--revision", help="branch, tag or commit of a model on the Hub")
    parser.add_argument("--engine", choices=("onnx", "torch"), default="onnx", help="inference engine (default: onnx)")
    if device:
        parser.add_argument("--device", help="device of the engine, such as cpu or cuda")


def load_predictor(options: argparse.Namespace) -> Any:
    """Load the model that the options of `add_model_options` name."""
    from spinealign.inference.predictor import Predictor

    return Predictor.from_pretrained(
        options.model, revision=options.revision, engine=options.engine, device=options.device
    )
