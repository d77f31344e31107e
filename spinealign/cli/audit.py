"""Audit a labeled collection before training.

It finds copies of one slice under any name, sources in two splits, and shortcuts that predict the label.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from spinealign.cli.options import add_data_options

LEAKS_FOUND = 3


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `spinealign audit`."""
    parser.epilog = (
        "Exit status: 0; with --strict, 3 if a source, a series or a patient is in two splits; 1 on errors, 2 on wrong "
        "usage."
    )
    add_data_options(parser)
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page with contact sheets of images of the collection"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--strict", action="store_true", help="exit with 3 if something is in two splits")
    parser.add_argument("--seed", type=int, default=0, help="seed of the cross-validation (default: %(default)s)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from spinealign.cohort.audit.auditing import audit
    from spinealign.reporting.audit_text import format_audit

    if options.html is not None and not options.html.parent.is_dir():
        raise ValueError(f"There is no folder {options.html.parent} for the page; create it first.")
    found = audit(options.data, source_pattern=options.source_pattern, seed=options.seed)
    print(json.dumps(found.to_dict(), indent=2, allow_nan=False) if options.json else format_audit(found))
    if options.html is not None:
        print(f"\nWrote {found.save_html(options.html)}", file=sys.stderr)
    return LEAKS_FOUND if options.strict and found.has_leaks else 0
