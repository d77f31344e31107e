"""The command line: parse, call, print."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spinealign._version import __version__
from spinealign.errors import SpineAlignError, require

if TYPE_CHECKING:
    from spinealign.inference.batch import BatchResult

TRAINING_PACKAGES = (
    "accelerate", "datasets", "evaluate", "matplotlib", "monai", "onnx", "onnxscript", "sklearn", "tensorboard",
    "torch", "transformers",
)  # fmt: skip
DISCLAIMER = "Research software, not a medical device: no decision about a person may rest on it."


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Run a command.

    Args:
        arguments: The words after the program's name; None takes them from the process.
        prog: Name of the training program in its help, where it is called by another name.

    Returns:
        The exit status: 0, 1 if something failed, 130 if interrupted.

    Raises:
        SystemExit: With 2 on wrong usage, as argparse does, and with 0 on `--help`.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name may be no text
    logging.basicConfig(format="%(message)s")
    logging.getLogger("spinealign").setLevel(logging.INFO)
    try:
        if words[:1] == ["train"]:  # its many options are those of transformers, which is loaded for it alone
            return _train(words[1:], prog or "spinealign train")
        options = build_parser().parse_args(words)
        return int(options.run(options))
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (SpineAlignError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands but `train`."""
    parser = argparse.ArgumentParser(
        prog="spinealign", description=f"Deep learning on spine images that people can trust. {DISCLAIMER}"
    )
    parser.add_argument("--version", action="version", version=f"spinealign {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_predict(commands.add_parser("predict", help="predict images"))
    _add_demo(commands.add_parser("demo", help="predict two phantoms and an image that is no CT"))
    _add_info(commands.add_parser("info", help="say versions, engine and model"))
    _add_evaluate(commands.add_parser("evaluate", help="score a model on a labelled collection"))
    _add_phantoms(commands.add_parser("phantoms", help="write a cohort of phantoms"))
    commands.add_parser("train", help="train a classifier (see spinealign train --help)", add_help=False)
    return parser


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.description = f"Predict PNG, JPEG and CT DICOM images. {DISCLAIMER}"
    parser.epilog = "Exit status: 0 if every file was predicted, 1 if any failed, 2 on wrong usage."
    parser.add_argument("paths", nargs="+", metavar="PATH", help="image file, folder or glob such as 'scans/**/*.dcm'")
    _add_model_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line instead of a table")
    parser.set_defaults(run=_predict)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Draw two phantoms, one with a fracture, and an image that is no CT; predict all three with the embedded "
        "model, and write a picture of where it looked."
    )
    parser.add_argument(
        "--output", default="spinealign-demo.png", metavar="PNG", help="the picture (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1_000_007, help="seed of the phantoms (default: %(default)s)")
    parser.set_defaults(run=_demo)


def _add_info(parser: argparse.ArgumentParser) -> None:
    parser.description = "Say the versions that run here, the engine, and what the model is. No weights are loaded."
    _add_model_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_info)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Score a model on labelled images. Beside the accuracy stand the number of distinct source slices, an interval "
        "over them, and what a linear model on 16x16 thumbnails reaches on the same split. A collection that the model "
        "was trained on is cut as it was then."
    )
    parser.add_argument("data", metavar="DATA", help="folder, CSV manifest or Hub dataset id")
    _add_model_options(parser)
    parser.add_argument("--split", choices=("train", "val", "test"), help="split to score (default: test, or else val)")
    parser.add_argument(
        "--on_leakage",
        choices=("drop", "error", "keep"),
        default="drop",
        help="what happens to a source that stands in two splits (default: drop its copies from the earlier one)",
    )
    parser.add_argument("--source_pattern", metavar="REGEX", help="file names to sources, with a group (?P<source>...)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_evaluate)


def _add_phantoms(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write axial CT phantoms as PNG with a manifest: the positive control, where the finding is real and no "
        "shortcut exists. Half of each split carries a fracture of known size."
    )
    parser.add_argument("folder", help="where they go; new or empty")
    for split, count in (("train", 800), ("val", 100), ("test", 100)):
        parser.add_argument(f"--{split}", type=int, default=count, metavar="N", help="phantoms (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20_000_000, help="seed of the first phantom (default: %(default)s)")
    parser.set_defaults(run=_phantoms)


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="MODEL", help="Hub id or checkpoint folder (default: the embedded model)")
    parser.add_argument("--revision", help="branch, tag or commit of a model on the Hub")
    parser.add_argument(
        "--engine", choices=("onnx", "torch"), default="onnx", help="what runs it (default: %(default)s)"
    )


def _train(arguments: list[str], prog: str) -> int:
    require(*TRAINING_PACKAGES, extra="train")
    from transformers.utils.logging import disable_progress_bar

    from spinealign.evaluation.evaluation import format_evaluations
    from spinealign.modeling.arguments import parse_training_setup
    from spinealign.modeling.training import train

    disable_progress_bar()  # of reading and writing weights; long work keeps its own
    result = train(parse_training_setup(arguments, prog=prog))
    if result.evaluations:  # of several processes, one prints
        print(f"{format_evaluations(result.evaluations)}\nThe checkpoint lies in {result.folder}")
    return 0


def _predict(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from spinealign.inference.batch import expand_paths, predict_files
    from spinealign.inference.predictor import Predictor

    paths = expand_paths(options.paths)
    if not paths:
        raise ValueError(f"no image files in {', '.join(options.paths)}.")
    predictor = Predictor.from_pretrained(options.model, options.revision, options.engine)
    bar = tqdm(predict_files(predictor, paths), total=len(paths), unit="image", leave=False, disable=None, delay=1.0)
    failed, results = 0, []
    try:
        for result in bar:
            failed += result.error is not None
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
    from spinealign.inference.checkpoint import find_checkpoint
    from spinealign.inference.info import describe

    content = describe(find_checkpoint(options.model, revision=options.revision, engine=options.engine), options.engine)
    print(
        json.dumps(content, indent=2)
        if options.json
        else "\n".join(f"{key:14} {value}" for key, value in content.items())
    )
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    require("sklearn", extra="train")
    from spinealign.cohort.indexing import index_cohort, require_binary
    from spinealign.cohort.loading import load_images
    from spinealign.cohort.splitting import resolve_leakage, split_cohort
    from spinealign.evaluation.evaluation import format_evaluations
    from spinealign.inference.predictor import Predictor
    from spinealign.modeling.assessment import assess

    predictor = Predictor.from_pretrained(options.model, options.revision, options.engine)
    settings = predictor.checkpoint.settings
    cohort = index_cohort(options.data, source_pattern=options.source_pattern)
    trained_on = cohort.name in settings.training_data
    if trained_on and settings.source_pattern and not options.source_pattern:
        cohort = index_cohort(options.data, source_pattern=settings.source_pattern)
    require_binary(cohort)
    if trained_on and (settings.split == "source" or not cohort.splits):  # the cut of the training, not a new one
        cohort = split_cohort(cohort, settings.split, seed=settings.seed or 0)
    loaded = load_images(resolve_leakage(cohort, options.on_leakage), predictor.conditioning)
    for line in loaded.cohort.skipped:
        print(line, file=sys.stderr)
    if trained_on and options.split == "train":
        print("These images were used to train the model: the numbers below prove nothing.", file=sys.stderr)
    evaluation = assess(predictor, loaded, split=options.split)
    print(json.dumps(evaluation.to_dict(), indent=2) if options.json else format_evaluations([evaluation]))
    return 0


def _phantoms(options: argparse.Namespace) -> int:
    from spinealign.cohort.phantoms import write_phantoms

    counts = {split: getattr(options, split) for split in ("train", "val", "test") if getattr(options, split)}
    print(f"Wrote {write_phantoms(options.folder, counts, seed=options.seed)}")
    return 0
