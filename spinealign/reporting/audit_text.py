"""Text of an audit for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from spinealign.cohort.audit.findings import Audit
from spinealign.reporting.audit_tables import counts_note, counts_table, probe_table, property_table, straddling_table

_WIDTH = 100
_LISTED = 10


def format_audit(audit: Audit) -> str:
    """Return an audit as text, verdict first."""
    straddling = straddling_table(audit).text().splitlines() if audit.straddling else []
    sections = [
        (
            f"Audit of {audit.name}",
            [line for item in audit.verdict for line in wrap(f"- {item}", _WIDTH, subsequent_indent="  ")],
        ),
        ("Counts", [*counts_table(audit).text().splitlines(), "", *wrap(counts_note(audit), _WIDTH)]),
        ("In two splits", [*straddling[:1], *_listed(straddling[1:])]),
        ("Classes from few series", [f"{item.label}: {', '.join(item.series)}" for item in audit.class_series]),
        ("Sources with more than one class", _listed(audit.contradicting)),
        (
            "What predicts the class (over means of sources)",
            property_table(audit).text().splitlines() if audit.properties else [],
        ),
        ("Shortcut baseline: linear model on 16x16 thumbnails", probe_table(audit).text().splitlines()),
        ("Notes", [*_listed(audit.unreadable), *_listed(audit.notes)]),
    ]
    return "\n\n".join(
        "\n".join([title, *(f"  {line}".rstrip() for line in lines)]) for title, lines in sections if lines
    )


def _listed(lines: Sequence[str]) -> list[str]:
    more = [f"... and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return [*lines[:_LISTED], *more]
