"""The command `evaluate`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from spinealign.cli.options import add_model_options
from spinealign.errors import require

if TYPE_CHECKING:
    from spinealign.cohort.cohort import Cohort
    from spinealign.cohort.loading import LoadedCohort
    from spinealign.config import ModelSettings


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Describe `spinealign evaluate`."""
    parser.description = (
        "Score a model on labelled images. Beside the accuracy stand the number of distinct source slices, an interval "
        "over them, and what a linear model on 16x16 thumbnails reaches on the same split. A collection that the model "
        "was trained on is cut as it was then."
    )
    parser.add_argument("data", metavar="DATA", help="folder, CSV manifest or Hub dataset id")
    add_model_options(parser)
    parser.add_argument(
        "--split", choices=("train", "calibration", "val", "test"), help="split to score (default: test, or else val)"
    )
    parser.add_argument(
        "--on_leakage",
        choices=("drop", "error", "keep"),
        default="drop",
        help="what happens to a source that stands in two splits (default: drop its copies from the earlier one)",
    )
    parser.add_argument("--source_pattern", metavar="REGEX", help="file names to sources, with a group (?P<source>...)")
    parser.add_argument(
        "--folds",
        type=int,
        default=0,
        metavar="N",
        help="score the whole collection in so many parts that share no source, and say how the scores vary; the "
        "thumbnail ridge is trained on the other parts (a cross-validation of the training: train --folds)",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="write evaluation.json, pictures (ROC, precision-recall, reliability, confusion) and the twenty worst "
        "cases there; the cases are images of the collection",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    require("sklearn", "matplotlib", extra="train")
    from spinealign.evaluation.scoring import cross_score, score, write_evaluation
    from spinealign.inference.predictor import Predictor
    from spinealign.reporting.evaluation_text import format_cross_validation, format_evaluations

    if options.folds and (options.output or options.split):
        raise ValueError("--folds scores the whole collection and writes no files; leave --output and --split out.")
    predictor = Predictor.from_pretrained(options.model, options.revision, options.engine)
    loaded = _load(options, predictor.settings)
    for line in loaded.cohort.skipped:
        print(line, file=sys.stderr)
    if options.folds:
        result = cross_score(predictor, loaded, folds=options.folds)
        print(json.dumps(result.to_dict(), indent=2) if options.json else format_cross_validation(result))
        return 0
    scored = score(predictor, loaded, split=options.split)
    if predictor.settings.was_trained_on(loaded.cohort.name):
        print(_known_collection(scored.evaluation.split, loaded.cohort, predictor.settings), file=sys.stderr)
    if options.output:
        write_evaluation(scored, Path(options.output))
    evaluations = [scored.evaluation, *([scored.accepted] if scored.accepted else [])]
    print(json.dumps(scored.evaluation.to_dict(), indent=2) if options.json else format_evaluations(evaluations))
    return 0


def _known_collection(split: str, cohort: Cohort, settings: ModelSettings) -> str:
    text = f"The model was trained on a collection of the name {cohort.name}, so this one is cut as it was then."
    if cohort.name not in settings.training_data:  # a dataset of the Hub for a folder, or the other way round
        text += " If its sources have other names than they had then, images of the training may be among these."
    if split == cohort.selection_split:
        text += " The epoch and the limit of novelty were chosen on this part: its numbers are optimistic."
    return text


def _load(options: argparse.Namespace, settings: ModelSettings) -> LoadedCohort:
    """Read the collection; one that the model was trained on is cut as it was then."""
    from spinealign.cohort.indexing import index_cohort, require_binary
    from spinealign.cohort.preparing import prepare_cohort
    from spinealign.cohort.splitting import hold_out_calibration

    cohort = index_cohort(options.data, source_pattern=options.source_pattern)
    trained_on = settings.was_trained_on(cohort.name)
    if trained_on and settings.source_pattern and not options.source_pattern:
        cohort = index_cohort(options.data, source_pattern=settings.source_pattern)
    require_binary(cohort)
    if trained_on and (options.split == "train" or options.folds):
        print("The model was trained on these images: the numbers below prove nothing.", file=sys.stderr)
    cut_again = trained_on and (settings.split == "source" or not cohort.splits)
    loaded = prepare_cohort(
        cohort,
        settings.conditioning,
        split=settings.split if cut_again else None,
        on_leakage=options.on_leakage,
        seed=settings.seed or 0,
    )
    if not trained_on:
        return loaded
    return loaded.matching(hold_out_calibration(loaded.cohort, seed=settings.seed or 0))
