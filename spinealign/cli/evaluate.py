"""Score a model on labeled images.

Each accuracy is printed with the number of distinct source slices, an interval over them, and the accuracy of a linear
model on 16x16 thumbnails of the same split. A collection that the model was trained on is split as in its training.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from spinealign.cli.options import add_data_options, add_model_options, load_predictor
from spinealign.errors import require


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `spinealign evaluate`."""
    add_data_options(parser)
    add_model_options(parser)
    parser.add_argument(
        "--split", choices=("train", "calibration", "val", "test"), help="split to score (default: test, or val)"
    )
    parser.add_argument(
        "--on_leakage",
        choices=("drop", "error", "keep"),
        default="drop",
        help="treatment of a source that is in two splits (default: drop its copies from the earlier one)",
    )
    parser.add_argument(
        "--folds",
        type=int,
        default=0,
        metavar="N",
        help="score the whole collection in N folds over sources and print how the scores vary; the shortcut baseline "
        "of each fold is trained on the others (for a cross-validation of the training, see train --folds)",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="write evaluation.json, figures (ROC, precision-recall, reliability, confusion) and the twenty worst "
        "cases, which are images of the collection",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    require("sklearn", "matplotlib", extra="evaluate")
    from spinealign.evaluation.evaluating import cross_evaluate, evaluate
    from spinealign.reporting.evaluation_text import format_cross_validation, format_evaluations

    if options.folds and (options.output or options.split):
        raise ValueError("--folds scores the whole collection and writes no files; leave --output and --split out.")
    predictor = load_predictor(options)
    if options.folds:
        result = cross_evaluate(predictor, options.data, folds=options.folds, source_pattern=options.source_pattern)
        print(json.dumps(result.to_dict(), indent=2) if options.json else format_cross_validation(result))
        return 0
    evaluation = evaluate(
        predictor,
        options.data,
        split=options.split,
        on_leakage=options.on_leakage,
        source_pattern=options.source_pattern,
    )
    if options.output:
        evaluation.save(Path(options.output))
    print(json.dumps(evaluation.to_dict(), indent=2) if options.json else format_evaluations([evaluation]))
    return 0
