"""Tables of an audit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spinealign.cohort.audit.findings import Audit
from spinealign.reporting.tables import Table


def counts_table(audit: Audit) -> Table:
    """Return images and sources of each class of each split."""
    rows = [
        (part.split or "-", part.label, f"{part.images:,}", f"{part.sources:,}", f"{part.effective_sources:,.1f}")
        for part in audit.parts
    ]
    rows.append(("all", "", f"{audit.images:,}", f"{audit.sources:,}", f"{audit.effective_sources:,.1f}"))
    return Table(("split", "class", "images", "sources", "effective"), rows, numbers=(2, 3, 4))


def counts_note(audit: Audit) -> str:
    """Return the number of series, patients and copies as text."""
    series, patients = ("not known" if number is None else f"{number:,}" for number in (audit.series, audit.patients))
    low, middle, high = audit.copies
    return (
        f"Series: {series}. Patients: {patients}. Copies of a source: {low} to {high}, median {middle:g}. Images with "
        f"the same pixels as an earlier one: {audit.identical:,}. Groups of visually similar images: "
        f"{audit.look_groups:,}."
    )


def straddling_table(audit: Audit) -> Table:
    """Return what is in more than one split."""
    rows = [
        (item.kind, item.name, ", ".join(f"{count} in {split}" for split, count in item.images.items()),
         "similarity" if item.by_looks else "name")
        for item in audit.straddling
    ]  # fmt: skip
    return Table(("what", "name", "images", "found by"), rows)


def property_table(audit: Audit) -> Table:
    """Return how well each property of the files predicts the class."""
    labels = list(audit.properties[0].means) if audit.properties else []
    rows = [
        (f"{item.name}, {item.unit}".rstrip(", "), *(f"{item.means[label]:,.4g}" for label in labels),
         f"{item.auc:.2f}", item.higher_in or "-", "alarm" if item.alarm else "")
        for item in audit.properties
    ]  # fmt: skip
    return Table(("property", *labels, "AUC", "higher in", ""), rows, numbers=range(1, len(labels) + 2))


def probe_table(audit: Audit) -> Table:
    """Return the scores of the shortcut baseline."""

    def rows() -> Iterator[Sequence[str]]:
        for probe in audit.probes:
            if probe.accuracy is None:
                yield probe.on, f"not possible: {probe.note}"
            else:
                interval = " to ".join(f"{end:.1%}" for end in probe.interval)
                counts = f"{probe.images:,}", f"{probe.sources:,}", "alarm" if probe.alarm else ""
                yield probe.on, f"{probe.accuracy:.2%}", interval, f"{probe.majority:.1%}", *counts

    head = ("tested on", "accuracy", "95 % over sources", "majority", "images", "sources", "")
    return Table(head, list(rows()), numbers=range(1, 6))
