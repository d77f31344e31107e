"""The program `spinealign`: parser, dispatch, errors."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence

from spinealign._version import __version__
from spinealign.cli import app, audit, demo, evaluate, info, phantoms, predict, push, space
from spinealign.cli.train import run_train
from spinealign.config import DISCLAIMER
from spinealign.errors import SpineAlignError

COMMANDS = {
    predict: "predict images",
    demo: "predict two phantoms and an image that is not CT",
    app: "serve the page in the browser",
    info: "print versions, engine and model",
    audit: "find copies, leaks and shortcuts in a collection",
    evaluate: "score a model on a labeled collection",
    phantoms: "write a set of phantoms",
    push: "push a checkpoint to the Hub",
    space: "build a Space with the page and a model and push it",
}


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
            return run_train(words[1:], prog or "spinealign train")
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
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module, text in COMMANDS.items():
        name = module.__name__.rpartition(".")[2]
        module.add_options(commands.add_parser(name, help=text, description=module.__doc__))
    commands.add_parser("train", help="train a classifier (see spinealign train --help)", add_help=False)
    return parser
