"""Serve the page in the browser, and its interface for programs."""

from __future__ import annotations

import argparse

from spinealign.cli.options import add_model_options, load_predictor
from spinealign.config import DISCLAIMER


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `spinealign app`."""
    parser.epilog = (
        f"Login: set SPINEALIGN_AUTH to user:password, or to several of them separated by commas. {DISCLAIMER}"
    )
    add_model_options(parser)
    parser.add_argument("--host", help="address to listen on (default: GRADIO_SERVER_NAME, or only this machine)")
    parser.add_argument("--port", type=int, help="port (default: GRADIO_SERVER_PORT, or the first free one from 7860)")
    parser.add_argument("--mcp", action="store_true", help="offer tools for agents, with the Model Context Protocol")
    parser.add_argument(
        "--allow_models", action="store_true", help="let users choose a model of the Hub or a folder of this machine"
    )
    parser.add_argument(
        "--hostnames", nargs="+", default=(), metavar="NAME", help="other host names of the server, behind a proxy"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from spinealign.page import launch

    launch(
        load_predictor(options),
        host=options.host,
        port=options.port,
        mcp=options.mcp,
        allow_models=options.allow_models,
        hostnames=options.hostnames,
    )
    return 0
