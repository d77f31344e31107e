"""Predictions as text: a table for a terminal, and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spinealign.errors import ImageError
from spinealign.inference.prediction import Finding, Prediction, tabulate
from spinealign.reporting.tables import Table, csv_text


def format_predictions(items: Iterable[Prediction | ImageError]) -> str:
    """Return a table with one line for each error and each prediction, or for each of its findings if it has several.

    Columns that no prediction needs are left out. What was ignored or assumed while reading follows the table.
    """
    items = list(items)
    predictions = [item for item in items if isinstance(item, Prediction)]
    several = any(len(item.findings) > 1 for item in predictions)
    graded = any(found.expected_grade is not None for item in predictions for found in item.findings)
    head = ("file", *["label"] * several, "finding", "confidence", *["expected grade"] * graded, "accepted")
    table = Table(head, [row for item in items for row in _rows(item, several=several, graded=graded)]).text()
    return "\n".join([table, *(f"{item.source}: {note}" for item in predictions for note in item.notes)])


def _rows(item: Prediction | ImageError, *, several: bool, graded: bool) -> Iterator[tuple[str, ...]]:
    if isinstance(item, ImageError):
        yield item.source, f"error: {item}"
        return
    source, accepted = item.source, "yes" if item.accepted else f"no: {', '.join(item.rejection_reasons)}"
    shown: Iterable[Finding | Prediction] = item.findings if several else [item]
    for found in shown:
        name = [found.name] * several if isinstance(found, Finding) else []
        grade = "" if found.expected_grade is None else f"{found.expected_grade:.2f}"
        yield source, *name, found.label, f"{found.confidence:.1%}", *[grade] * graded, accepted
        source = accepted = ""  # only once for each image


def predictions_csv(items: Iterable[Prediction | ImageError]) -> str:
    """Return the table of `predictions_to_dataframe` as CSV, with text quoted that spreadsheets run as a formula."""
    return csv_text(*tabulate(items))
