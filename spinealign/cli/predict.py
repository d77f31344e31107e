"""Predict PNG, JPEG and CT DICOM images."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from spinealign.cli.options import add_model_options, load_predictor
from spinealign.config import DISCLAIMER
from spinealign.errors import ImageError

NAMED = 3  # files that are not images


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `spinealign predict`."""
    parser.epilog = (
        "Files of a folder that are not images are passed over and counted. Exit status: 0 if every image was "
        f"predicted, 1 if any failed, 2 on wrong usage. {DISCLAIMER}"
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="image file, folder or glob such as 'scans/**/*.dcm'")
    add_model_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per line instead of a table")
    parser.add_argument("--explain", metavar="DIR", help="write a heat map of each image into this folder")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from spinealign.reading.discovery import expand_paths
    from spinealign.reporting.heat_maps import HeatMapFolder
    from spinealign.reporting.prediction_text import format_predictions

    paths, passed = expand_paths(options.paths)
    if passed:
        names = ", ".join(os.path.basename(path) for path in passed[:NAMED]) + (", ..." if len(passed) > NAMED else "")
        count = f"{len(passed)} of {len(paths) + len(passed)} files"
        print(f"{count} passed over: not a PNG, JPEG or DICOM image ({names})", file=sys.stderr)
    predictor = load_predictor(options)
    heat_maps = HeatMapFolder(Path(options.explain)) if options.explain else None
    failed, shown = 0, []
    try:
        items = predictor.predict_many(paths, explain=heat_maps is not None)
        for item in tqdm(items, total=len(paths), unit="image", leave=False, disable=None, delay=1.0):
            error = isinstance(item, ImageError)
            failed += error
            if heat_maps and not error:
                heat_maps.save(item)
            if options.json:
                answer = {"error": str(item)} if error else item.to_dict()
                print(json.dumps({"path": item.source, **answer}), flush=True)
            else:
                shown.append(item)
    finally:  # an interrupted run prints the finished part
        if shown:
            print(format_predictions(shown))
    return 1 if failed else 0
