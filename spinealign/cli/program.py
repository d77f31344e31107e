"""The program `spinealign`: parser, dispatch, errors."""

from __future__ import annotations

import argparse
import io
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

from spinealign._version import __version__
from spinealign.cli import commands, image_commands
from spinealign.cohort.options import CollectionOptions
from spinealign.config import DISCLAIMER
from spinealign.errors import SpineAlignError


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Run a command.

    Args:
        arguments: Words after the program's name; None for `sys.argv`.
        prog: Name of the training program in its help, if it is not `spinealign train`.

    Returns:
        The exit status: 0, 1 if something failed, 130 if interrupted.

    Raises:
        SystemExit: With 2 on wrong usage, as argparse does, and with 0 on `--help`.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may be undecodable
    logging.basicConfig(format="%(message)s")
    logging.getLogger("spinealign").setLevel(logging.INFO)
    try:
        if words[:1] == ["train"]:  # its options come from transformers, which only this command loads
            return commands.train(words[1:], prog or "spinealign train")
        options = build_parser().parse_args(words)
        return int(options.run(options))
    except BrokenPipeError:  # the reader, such as head, closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (SpineAlignError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands except `train`."""
    parser = argparse.ArgumentParser(
        prog="spinealign", description=f"Deep learning on spine images with honest evaluation. {DISCLAIMER}"
    )
    parser.add_argument("--version", action="version", version=f"spinealign {__version__}")
    group = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(
        run: Callable[[argparse.Namespace], int], text: str, *, epilog: str | None = None
    ) -> argparse.ArgumentParser:
        command = group.add_parser(run.__name__, help=text, description=run.__doc__, epilog=epilog)
        command.set_defaults(run=run)
        return command

    _add_models(add)
    _add_collections(add)
    _add_publishing(add)
    group.add_parser("train", help="train a classifier (see spinealign train --help)", add_help=False)
    return parser


def _add_models(add: Callable[..., argparse.ArgumentParser]) -> None:
    predict = add(
        image_commands.predict,
        "predict images",
        epilog="Files of a folder that are not images are passed over and counted. Exit status: 0 if every image was "
        f"predicted, 1 if any failed, 2 on wrong usage. {DISCLAIMER}",
    )
    _add_paths(predict)
    _add_engine(predict)
    predict.add_argument(
        "--white",
        type=float,
        metavar="VALUE",
        help="value shown as white in gray images of 16 bits that use fewer, such as 4095",
    )
    form = predict.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object per line instead of a table")
    form.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    predict.add_argument("--explain", metavar="DIR", help="write the heat maps of each image into this folder")

    measure = add(
        image_commands.measure,
        "measure Cobb angles in frontal x-rays, and sagittal MR of the lumbar spine",
        epilog="Files of a folder that are not images are passed over and counted. Exit status: 0 if every image could "
        f"be read, also if it was not accepted, 1 if any failed, 2 on wrong usage. {DISCLAIMER}",
    )
    _add_paths(measure)
    _add_engine(measure)
    measure.add_argument(
        "--anchor",
        type=_parse_anchor,
        action="append",
        default=[],
        metavar="LEVEL=N",
        help="level of the visible vertebra number N from the top of an x-ray, such as T1=1, or in MR of the one at "
        "the point X,Y in pixels, such as L4=180,240; the others follow from it",
    )
    measure.add_argument(
        "--lowest", metavar="LEVEL", help="level of the lowest visible vertebra, such as L5; the others follow from it"
    )
    measure.add_argument(
        "--kind",
        choices=("frontal_xray", "sagittal_mr"),
        help="kind of all images (default: as the header says or, without one, as the image looks)",
    )
    form = measure.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object per line instead of a table")
    form.add_argument("--csv", type=Path, metavar="FILE", help="write a CSV file with one line per image")
    source = measure.add_mutually_exclusive_group()
    source.add_argument(
        "--one_study",
        action="store_true",
        help="the images are series of one examination of one patient, such as T1 and T2: vertebrae at the same place "
        "get the same level, or none where the series disagree",
    )
    source.add_argument(
        "--masks_from",
        choices=("totalspineseg", "spineps", "totalsegmentator", "totalsegmentator_mr"),
        help="measure the masks of another segmenter, which the paths name, instead of images",
    )
    measure.add_argument("--overlay", type=Path, metavar="DIR", help="draw the measures on each image into this folder")
    measure.add_argument(
        "--masks", type=Path, metavar="DIR", help="write the masks of each MR as NIfTI into this folder, with a table"
    )

    demo = add(commands.demo, "predict three images and measure two")
    demo.add_argument(
        "--output", default="spinealign-demo.png", metavar="PNG", help="the picture (default: %(default)s)"
    )
    demo.add_argument("--seed", type=int, default=1_000_007, help="seed of the phantoms (default: %(default)s)")

    login = "Login: set SPINEALIGN_AUTH to user:password, or to several of them separated by commas."
    app = add(commands.app, "serve the page in the browser", epilog=f"{login} {DISCLAIMER}")
    _add_engine(app)
    app.add_argument("--host", help="address to listen on (default: GRADIO_SERVER_NAME, or only this machine)")
    app.add_argument("--port", type=int, help="port (default: GRADIO_SERVER_PORT, or the first free one from 7860)")
    app.add_argument("--mcp", action="store_true", help="offer tools for agents, with the Model Context Protocol")
    app.add_argument(
        "--allow_models", action="store_true", help="let users choose a model of the Hub or a folder of this machine"
    )
    app.add_argument(
        "--hostnames", nargs="+", default=(), metavar="NAME", help="other host names of the server, behind a proxy"
    )

    info = add(commands.info, "print versions, engine and model")
    _add_engine(info, device=False)
    info.add_argument("--json", action="store_true", help="print JSON")


def _add_collections(add: Callable[..., argparse.ArgumentParser]) -> None:
    audit = add(
        commands.audit,
        "find copies, leaks and shortcuts in a collection",
        epilog="Exit status: 0; with --strict, 3 if a source, a series or a patient is in two splits; 1 on errors, 2 "
        "on wrong usage.",
    )
    _add_data(audit)
    audit.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page with contact sheets of images of the collection"
    )
    audit.add_argument(
        "--repairs",
        type=Path,
        metavar="CSV",
        help="corrections for films with corners (default: repairs.csv beside them)",
    )
    audit.add_argument("--json", action="store_true", help="print JSON")
    audit.add_argument("--strict", action="store_true", help="exit with 3 if something is in two splits")
    audit.add_argument(
        "--crop_search",
        action="store_true",
        help="find also copies that were cropped, shifted or placed on a larger canvas; takes longer",
    )
    audit.add_argument(
        "--fix_split",
        type=Path,
        metavar="DIR",
        help="write a manifest into a new folder, in which no source, patient or series is in two splits",
    )
    audit.add_argument(
        "--seed", type=int, default=0, help="seed of the cross-validation and of --fix_split (default: %(default)s)"
    )

    evaluate = add(commands.evaluate, "score a model on a labeled collection")
    _add_data(evaluate)
    _add_engine(evaluate)
    evaluate.add_argument(
        "--split", choices=("train", "calibration", "val", "test"), help="split to score (default: test, or val)"
    )
    evaluate.add_argument(
        "--on_leakage",
        choices=("drop", "error", "keep"),
        default="drop",
        help="treatment of a source that is in two splits (default: drop its copies from the earlier one)",
    )
    evaluate.add_argument(
        "--positive", metavar="NAME", help="positive class of the collection, if the model has another name for it"
    )
    evaluate.add_argument(
        "--folds",
        type=int,
        default=0,
        metavar="N",
        help="score the whole collection in N folds over sources and print how the scores vary; the shortcut baseline "
        "of each fold is trained on the others (for a cross-validation of the training, see train --folds)",
    )
    evaluate.add_argument(
        "--output",
        metavar="DIR",
        help="write evaluation.json, figures (ROC, precision-recall, reliability, confusion) and the worst "
        "cases, which are images of the collection",
    )
    evaluate.add_argument("--json", action="store_true", help="print JSON")

    cache = add(commands.cache, "list or clear the rendered images that --cache_dir keeps")
    cache.add_argument("action", choices=("list", "clear"), help="what to do")
    cache.add_argument("--cache_dir", required=True, type=Path, metavar="DIR", help="the folder")

    phantoms = add(commands.phantoms, "write a set of phantoms")
    phantoms.add_argument("folder", metavar="FOLDER", help="a new or empty folder")
    phantoms.add_argument(
        "--kind",
        choices=("neck", "frontal", "lateral", "sagittal"),
        default="neck",
        help="axial CT of the neck, x-rays of the spine, or sagittal MR of the lumbar spine (default: %(default)s)",
    )
    for split, count in (("train", 800), ("val", 100), ("test", 100)):
        phantoms.add_argument(
            f"--{split}",
            type=int,
            default=count,
            metavar="N",
            help=f"phantoms of the split {split} (default: %(default)s)",
        )
    phantoms.add_argument(
        "--seed", type=int, default=20_000_000, help="seed of the first phantom (default: %(default)s)"
    )


def _add_publishing(add: Callable[..., argparse.ArgumentParser]) -> None:
    push = add(commands.push, "push a checkpoint to the Hub")
    push.add_argument("checkpoint", metavar="CHECKPOINT", help="folder that spinealign train wrote")
    push.add_argument("repo_id", metavar="REPO_ID", help="owner/name; created if missing")
    push.add_argument("--private", action="store_true", help="create a private repository")
    push.add_argument("--revision", metavar="BRANCH", help="branch to write to (default: the main branch)")
    push.add_argument("--message", default="Upload with spinealign", help="commit message (default: %(default)s)")
    push.add_argument("--dry_run", action="store_true", help="check the checkpoint and list what would be pushed")

    space = add(commands.space, "build a Space with the page and a model and push it")
    space.add_argument("repo_id", metavar="REPO_ID", help="owner/name of the Space; created if missing")
    _add_model(space)
    place = space.add_mutually_exclusive_group()
    place.add_argument("--private", action="store_true", help="create a private Space")
    place.add_argument("--output", metavar="DIR", help="write the Space into this new folder and push nothing")


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="folder, archive, manifest or Hub dataset id")
    for item in fields(CollectionOptions):
        text = item.metadata["help"].rstrip(".")  # a sentence, as transformers shows it
        parser.add_argument(f"--{item.name}", metavar=item.metadata["metavar"], help=text[0].lower() + text[1:])
    parser.add_argument(
        "--cache_dir", metavar="DIR", help="keep the rendered images in this folder for the next run (default: nowhere)"
    )


def _add_paths(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="image file, folder, archive or glob such as 'scans/**/*.dcm'"
    )


def _parse_anchor(text: str) -> tuple[str, int | tuple[float, float]]:
    from spinealign.alignment.levels import check_anchor, check_known

    level, _, place = (part.strip() for part in text.upper().partition("="))
    point = re.fullmatch(r"(\d+\.?\d*),(\d+\.?\d*)", place)
    if point is None and not place.isdecimal():
        raise argparse.ArgumentTypeError(f"expected LEVEL=NUMBER or LEVEL=X,Y, such as T1=1, got {text!r}")
    try:
        if point is None:
            check_anchor({level: int(place)})
            return level, int(place)
        check_known([level])
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return level, (float(point[1]), float(point[2]))


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="MODEL", help="Hub id or checkpoint folder (default: the embedded model)")
    parser.add_argument("--revision", help="branch, tag or commit of a model on the Hub")


def _add_engine(parser: argparse.ArgumentParser, *, device: bool = True) -> None:
    _add_model(parser)
    parser.add_argument("--engine", choices=("onnx", "torch"), default="onnx", help="inference engine (default: onnx)")
    if device:
        parser.add_argument("--device", help="device of the engine, such as cpu or cuda")
