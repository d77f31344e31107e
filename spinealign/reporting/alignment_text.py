"""Alignments as text: a table for a terminal, and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spinealign.alignment.result import Alignment, tabulate
from spinealign.errors import ImageError
from spinealign.reporting.tables import Table, csv_text

HEAD = ("file", "measure", "angle", "90 % interval", "end vertebrae", "apex", "convex to", "finding")


def format_alignments(items: Iterable[Alignment | ImageError]) -> str:
    """Return a table with one line for each curve, each image that is not accepted and each error.

    What was ignored or assumed while reading follows the table.
    """
    items = list(items)
    table = Table(HEAD, [row for item in items for row in _rows(item)], numbers=(2,)).text()
    aligned = [item for item in items if isinstance(item, Alignment)]
    return "\n".join([table, *(f"{item.source}: {note}" for item in aligned for note in item.notes)])


def _rows(item: Alignment | ImageError) -> Iterator[tuple[str, ...]]:
    if isinstance(item, ImageError):
        yield item.source, f"error: {item}"
        return
    if not item.accepted:
        yield item.source, f"not accepted: {'; '.join(item.rejection_reasons)}"
        return
    source, finding = item.source, ", ".join(found.summary for found in item.findings)
    for curve in item.curves:
        measure = item[curve.measure]
        interval = "" if measure.low is None else f"{measure.low:.0f} to {measure.high:.0f}"
        ends = f"{curve.upper} to {curve.lower}"
        yield source, curve.measure, f"{measure.value:.1f}", interval, ends, curve.apex, curve.side, finding
        source = finding = ""  # only once for each image


def alignments_csv(items: Iterable[Alignment | ImageError]) -> str:
    """Return CSV with one line for each image: measures with the ends of their intervals, and findings."""
    return csv_text(*tabulate(items))
