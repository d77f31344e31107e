"""The command `audit`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

LEAKS_FOUND = 3


def add_audit(parser: argparse.ArgumentParser) -> None:
    """Describe `spinealign audit`."""
    parser.description = (
        "Audit a labelled collection before anything is trained on it: copies of one slice whatever their names say, "
        "sources that stand in two splits, and what but the finding gives the label away. No model is needed."
    )
    parser.epilog = (
        "Exit status: 0, or with --strict 3 if a source, a series or a patient stands in two splits; 1 on errors, 2 on "
        "wrong usage."
    )
    parser.add_argument("data", metavar="DATA", help="folder, CSV manifest or Hub dataset id")
    parser.add_argument("--source_pattern", metavar="REGEX", help="file names to sources, with a group (?P<source>...)")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page with contact sheets; it holds images of the collection"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--strict", action="store_true", help="exit with 3 if something stands in two splits")
    parser.add_argument("--seed", type=int, default=0, help="seed of the cross-validation (default: %(default)s)")
    parser.set_defaults(run=_audit)


def _audit(options: argparse.Namespace) -> int:
    from spinealign.cohort.audit.auditing import audit
    from spinealign.reporting.audit_page import write_audit_page
    from spinealign.reporting.audit_text import format_audit

    if options.html is not None and not options.html.parent.is_dir():
        raise ValueError(f"there is no folder {options.html.parent} for the page; make it first.")
    findings = audit(options.data, source_pattern=options.source_pattern, seed=options.seed)
    print(json.dumps(findings.to_dict(), indent=2, allow_nan=False) if options.json else format_audit(findings))
    if options.html is not None:
        print(f"\nThe page with pictures: {write_audit_page(findings, options.html)}", file=sys.stderr)
    return LEAKS_FOUND if options.strict and findings.has_leaks else 0
