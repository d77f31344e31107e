"""Text of an audit for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from spinealign.cohort.audit.findings import Audit
from spinealign.labels import SINGLE
from spinealign.reporting.audit_tables import (
    counts_note,
    counts_table,
    off_topic_table,
    probe_table,
    property_tables,
    straddling_table,
    wrong_label_table,
)
from spinealign.reporting.tables import Table

_WIDTH = 100
_LISTED = 10


def format_audit(audit: Audit) -> str:
    """Return an audit as text, verdict first."""
    sections = [
        (
            f"Audit of {audit.name}",
            [line for item in audit.verdict for line in wrap(f"- {item}", _WIDTH, subsequent_indent="  ")],
        ),
        ("Counts", [*counts_table(audit).text().splitlines(), "", *wrap(counts_note(audit), _WIDTH)]),
        ("In two splits", _first_rows(straddling_table(audit))),
        ("Classes from few series", [f"{item.label}: {', '.join(item.series)}" for item in audit.class_series]),
        ("Sources with more than one class", _listed(audit.contradicting)),
        *(
            (
                f"What predicts {'the class' if name == SINGLE else name} (over means of sources)",
                table.text().split("\n"),
            )
            for name, table in property_tables(audit)
        ),
        ("Shortcut baseline: linear model on 16x16 thumbnails", probe_table(audit).text().splitlines()),
        (_counted("Labels that may be wrong", audit.wrong_labels), _first_rows(wrong_label_table(audit))),
        (_counted("Images that may be off topic", audit.off_topic), _first_rows(off_topic_table(audit))),
        ("Notes", [*_listed(audit.unreadable), *_listed(audit.notes)]),
    ]
    return "\n\n".join(
        "\n".join([title, *(f"  {line}".rstrip() for line in lines)]) for title, lines in sections if lines
    )


def _listed(lines: Sequence[str]) -> list[str]:
    more = [f"... and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return [*lines[:_LISTED], *more]


def _counted(title: str, items: Sequence[object]) -> str:
    return f"{title} ({len(items):,})"


def _first_rows(table: Table) -> list[str]:
    lines = table.text().splitlines()
    return [*lines[:1], *_listed(lines[1:])] if len(lines) > 1 else []
