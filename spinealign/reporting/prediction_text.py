"""Table of predictions for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from spinealign.errors import ImageError
from spinealign.inference.prediction import Prediction
from spinealign.reporting.tables import Table


def format_predictions(items: Iterable[Prediction | ImageError]) -> str:
    """Return a table with one line for each prediction or error."""
    return Table(("file", "finding", "confidence", "accepted"), [*map(_row, items)]).text()


def _row(item: Prediction | ImageError) -> tuple[str, ...]:
    if isinstance(item, ImageError):
        return (item.source, f"error: {item}")
    accepted = "yes" if item.accepted else f"no: {', '.join(item.rejection_reasons)}"
    return (item.source, item.label, f"{item.confidence:.1%}", accepted)
