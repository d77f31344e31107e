"""The commands `predict`, `demo` and `info`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spinealign.cli.options import add_model_options
from spinealign.config import DISCLAIMER

if TYPE_CHECKING:
    from spinealign.reading.discovery import BatchResult


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Describe `spinealign predict`."""
    parser.description = f"Predict PNG, JPEG and CT DICOM images. {DISCLAIMER}"
    parser.epilog = "Exit status: 0 if every file was predicted, 1 if any failed, 2 on wrong usage."
    parser.add_argument("paths", nargs="+", metavar="PATH", help="image file, folder or glob such as 'scans/**/*.dcm'")
    add_model_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line instead of a table")
    parser.add_argument(
        "--explain", metavar="DIR", help="write a picture of where the model looked for each image there"
    )
    parser.set_defaults(run=_predict)


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Describe `spinealign demo`."""
    parser.description = (
        "Draw two phantoms, one with a fracture, and an image that is no CT; predict all three with the embedded "
        "model, and write a picture of where it looked."
    )
    parser.add_argument(
        "--output", default="spinealign-demo.png", metavar="PNG", help="the picture (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1_000_007, help="seed of the phantoms (default: %(default)s)")
    parser.set_defaults(run=_demo)


def add_info(parser: argparse.ArgumentParser) -> None:
    """Describe `spinealign info`."""
    parser.description = "Say the versions that run here, the engine, and what the model is. No weights are loaded."
    add_model_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_info)


def _predict(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from spinealign.inference.predictor import Predictor
    from spinealign.reading.discovery import expand_paths, predict_files
    from spinealign.reporting.heat_maps import HeatMapWriter

    paths = expand_paths(options.paths)
    if not paths:
        raise ValueError(f"no image files in {', '.join(options.paths)}.")
    predictor = Predictor.from_pretrained(options.model, options.revision, options.engine)
    writer = HeatMapWriter(predictor, Path(options.explain)) if options.explain else None
    bar = tqdm(predict_files(predictor, paths), total=len(paths), unit="image", leave=False, disable=None, delay=1.0)
    failed, results = 0, []
    try:
        for result in bar:
            failed += result.error is not None
            if writer and result.prediction:
                writer.write(result.path, result.prediction)
            if options.json:
                answer = {"error": result.error} if result.prediction is None else result.prediction.to_dict()
                print(json.dumps({"path": result.path, **answer}), flush=True)
            else:
                results.append(result)
    finally:  # an interrupted run shows what it has
        if results:
            print(_prediction_table(results))
    return 1 if failed else 0


def _prediction_table(results: Sequence[BatchResult]) -> str:
    rows = [("file", "finding", "confidence", "accepted")]
    for result in results:
        if result.prediction is None:
            rows.append((result.path, f"error: {result.error}", "", ""))
        else:
            prediction = result.prediction
            accepted = "yes" if prediction.accepted else f"no: {', '.join(prediction.rejection_reasons)}"
            rows.append((result.path, prediction.label, f"{prediction.confidence:.1%}", accepted))
    plain = [row for row in rows if row[3]]
    widths = [max(len(row[0]) for row in rows), *(max(len(row[column]) for row in plain) for column in (1, 2, 3))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def _demo(options: argparse.Namespace) -> int:
    from spinealign.demo import run_demo

    results = run_demo(Path(options.output), seed=options.seed)
    print(_prediction_table(results))
    print(f"\nWhere the model looked: {options.output}\n{DISCLAIMER}")
    return 0


def _info(options: argparse.Namespace) -> int:
    from spinealign.checkpoint.finding import find_checkpoint
    from spinealign.reporting.installation import describe

    content = describe(find_checkpoint(options.model, revision=options.revision, engine=options.engine), options.engine)
    print(
        json.dumps(content, indent=2)
        if options.json
        else "\n".join(f"{key:14} {value}" for key, value in content.items())
    )
    return 0
