"""Alignments as text: tables for a terminal, and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from spinealign.alignment.result import Alignment, Measure
from spinealign.checkpoint.files import SAGITTAL_MR
from spinealign.errors import ImageError
from spinealign.reporting.tables import Table, csv_text

HEAD = ("file", "measure", "angle", "90 % interval", "end vertebrae", "apex", "convex to", "finding")
SAGITTAL_HEAD = ("file", "levels", "lordosis", "disc height", "slip", "height ratio", "finding")


def format_alignments(items: Iterable[Alignment | ImageError]) -> str:
    """Return a table of x-rays with one line for each curve, and one of MR with one line for each pair of vertebrae.

    Images that are not accepted and errors have a line. What was ignored or assumed while reading follows the tables.
    """
    items = list(items)
    sagittal = [item for item in items if isinstance(item, Alignment) and item.kind == SAGITTAL_MR]
    others = [item for item in items if item not in sagittal]
    tables = [Table(HEAD, [row for item in others for row in _rows(item)], numbers=(2,)).text()] if others else []
    if sagittal:
        tables.append(Table(SAGITTAL_HEAD, [row for item in sagittal for row in _sagittal_rows(item)]).text())
    aligned = [item for item in items if isinstance(item, Alignment)]
    return "\n".join(["\n\n".join(tables), *(f"{item.source}: {note}" for item in aligned for note in item.notes)])


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


def _sagittal_rows(item: Alignment) -> Iterator[tuple[str, ...]]:
    """Yield a row for the lumbar spine, and one for each vertebra and the disc below it."""
    if not item.accepted:
        yield item.source, f"not accepted: {'; '.join(item.rejection_reasons)}"
        return
    measured = {measure.name: measure for measure in item.measures if measure.value is not None}
    findings = _sagittal_findings(item)
    source = item.source
    for name, levels in (("lordosis_l1_l5", "L1 to L5"), ("lordosis_l1_s1", "L1 to S1")):
        if name in measured:
            yield source, levels, str(measured[name]), "", "", "", findings
            source = findings = ""
    below = [each.name for each in item.vertebrae[1:]] + ["S1"]
    for each, lower in zip(item.vertebrae, below):
        pair = f"{each.name}_{lower}".lower()
        disc = _first(measured, f"disc_height_{pair}_mm", f"disc_height_index_{pair}")
        slip = _first(measured, f"slip_{pair}_mm", f"slip_{pair}_percent")
        ratio = _first(measured, f"height_ratio_{each.name.lower()}")
        levels = f"{each.name}-{lower}" if disc or slip else each.name
        yield source, levels, _first(measured, f"segment_{pair}"), disc, slip, ratio, findings
        source = findings = ""


def _sagittal_findings(item: Alignment) -> str:
    """Return the findings that are present with their grades, and the names of those that were not judged."""
    graded = ("none", "present", None)
    shown = [
        f"{found.type or found.summary}{'' if found.severity in graded else f' ({found.severity})'}"
        for found in item.findings
        if found.present
    ]
    if not shown and any(found.present is False for found in item.findings):
        shown = ["none"]
    missing = dict.fromkeys(found.name.replace("_", " ") for found in item.findings if found.present is None)
    return "; ".join([*filter(None, [", ".join(shown)]), *([f"not judged: {', '.join(missing)}"] if missing else [])])


def _first(measured: dict[str, Measure], *names: str) -> str:
    """Return the first of several measures as text; empty if there is none."""
    return next((str(measured[name]) for name in names if name in measured), "")


def alignments_csv(items: Iterable[Alignment | ImageError]) -> str:
    """Return CSV with one line for each image: measures with the ends of their intervals, and findings."""
    return csv_text(*_tabulate(items))


def _tabulate(items: Iterable[Alignment | ImageError]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the columns and the rows of a table with one row for each image. A row lacks what its item lacks."""
    rows: list[dict[str, Any]] = []
    named: dict[str, None] = {}
    for item in items:
        if isinstance(item, ImageError):
            rows.append({"path": item.source, "error": str(item)})
            continue
        own: dict[str, Any] = {}
        for measure in item.measures:
            ends = {"": measure.value, "_low": measure.low, "_high": measure.high}
            own |= {f"{measure.name}{suffix}": value for suffix, value in ends.items()}
        for finding in reversed(item.findings):  # of several with one name, the first counts
            own |= {finding.name: finding.present, f"{finding.name}_severity": finding.severity}
            own |= {f"{finding.name}_near_border": finding.near_border, f"{finding.name}_type": finding.type}
        named.update(dict.fromkeys(own))
        facts = {"path": item.source, "kind": item.kind, "accepted": item.accepted, "model": item.model}
        joined = {"rejection_reasons": "; ".join(item.rejection_reasons), "notes": " ".join(item.notes)}
        rows.append({**facts, **joined, **own})
    return ["path", "kind", "accepted", "rejection_reasons", *named, "notes", "model", "error"], rows
