"""Text of an audit for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from spinealign.cohort.audit.findings import Audit, Probe
from spinealign.reporting.terminal import align

_WIDTH = 100
_LISTED = 10


def format_audit(audit: Audit) -> str:
    """Return an audit as text, verdict first."""
    sections = [
        (f"Audit of {audit.name}", list(_verdict(audit))),
        ("Counts", _counts(audit)),
        ("In two splits", _straddling(audit)),
        ("Classes from few series", [f"{item.label}: {', '.join(item.series)}" for item in audit.class_series]),
        ("Sources with more than one class", _listed(audit.contradicting)),
        ("What predicts the class (over means of sources)", _properties(audit)),
        ("Shortcut baseline: linear model on 16x16 thumbnails", _probes(audit.probes)),
        ("Notes", [*_listed(audit.unreadable), *_listed(audit.notes)]),
    ]
    return "\n\n".join(
        "\n".join([title, *(f"  {line}".rstrip() for line in lines)]) for title, lines in sections if lines
    )


def _verdict(audit: Audit) -> Iterator[str]:
    for sentence in audit.verdict:
        yield from textwrap.wrap(sentence, _WIDTH, initial_indent="- ", subsequent_indent="  ")


def _counts(audit: Audit) -> list[str]:
    rows = [("split", "class", "images", "sources", "effective")]
    rows += [
        (part.split or "-", part.label, f"{part.images:,}", f"{part.sources:,}", f"{part.effective_sources:,.1f}")
        for part in audit.parts
    ]
    rows.append(("all", "", f"{audit.images:,}", f"{audit.sources:,}", f"{audit.effective_sources:,.1f}"))
    low, middle, high = audit.copies
    return [
        *align(rows, right=(2, 3, 4)),
        "",
        f"series {_known(audit.series)}, patients {_known(audit.patients)}; copies of a source: {low} to {high}, "
        f"median {middle:g}",
        f"identical to an earlier image: {audit.identical:,}; groups of visually similar images: {audit.look_groups:,}",
    ]


def _known(number: int | None) -> str:
    return "not known" if number is None else f"{number:,}"


def _straddling(audit: Audit) -> list[str]:
    rows = [
        (item.kind, item.name, ", ".join(f"{count} in {split}" for split, count in item.images.items()),
         "by similarity" if item.by_looks else "by name")
        for item in audit.straddling[:_LISTED]
    ]  # fmt: skip
    return [*align(rows), *_rest(len(audit.straddling))]


def _properties(audit: Audit) -> list[str]:
    if not audit.properties:
        return []
    classes = list(audit.properties[0].means)
    rows = [("property", *classes, "AUC", "higher in", "")]
    for item in audit.properties:
        values = (f"{item.means[label]:,.4g}" for label in classes)
        rows.append((item.name, *values, f"{item.auc:.2f}", item.higher_in or "-", "alarm" if item.alarm else ""))
    return align(rows, right=range(1, len(classes) + 2))


def _probes(probes: Sequence[Probe]) -> list[str]:
    rows: list[tuple[str, ...]] = []
    for probe in probes:
        if probe.accuracy is None:
            rows.append((probe.on, f"not possible: {probe.note}"))
            continue
        interval = " to ".join(f"{end:.1%}" for end in probe.interval)
        rows.append((probe.on, f"{probe.accuracy:.2%}", interval, f"{probe.majority:.1%}", f"{probe.sources:,}",
                     "alarm" if probe.alarm else ""))  # fmt: skip
    head = ("tested on", "accuracy", "95 % over sources", "majority", "sources", "")
    return align([head, *rows], right=(1, 2, 3, 4)) if rows else []


def _listed(lines: Sequence[str]) -> list[str]:
    return [*lines[:_LISTED], *_rest(len(lines))]


def _rest(count: int) -> list[str]:
    return [f"... and {count - _LISTED} more"] if count > _LISTED else []
