"""Predict two phantoms, one with a fracture, and an image that is not CT, and write a picture with heat maps."""

from __future__ import annotations

import argparse
from pathlib import Path

from spinealign.config import DISCLAIMER


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `spinealign demo`."""
    parser.add_argument(
        "--output", default="spinealign-demo.png", metavar="PNG", help="the picture (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1_000_007, help="seed of the phantoms (default: %(default)s)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from spinealign.demo import run_demo
    from spinealign.reporting.prediction_text import format_predictions

    print(format_predictions(run_demo(Path(options.output), seed=options.seed)))
    print(f"\nHeat maps: {options.output}\n{DISCLAIMER}")
    return 0
