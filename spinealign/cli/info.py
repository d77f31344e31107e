"""Print versions, the engine, and a description of the model. No weights are loaded."""

from __future__ import annotations

import argparse
import json

from spinealign.cli.options import add_model_options


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `spinealign info`."""
    add_model_options(parser, device=False)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from spinealign.checkpoint.finding import find_checkpoint
    from spinealign.reporting.installation import describe
    from spinealign.reporting.tables import Table

    content = describe(find_checkpoint(options.model, revision=options.revision, engine=options.engine), options.engine)
    print(json.dumps(content, indent=2) if options.json else Table((), list(content.items())).text())
    return 0
