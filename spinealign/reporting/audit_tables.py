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


def property_tables(audit: Audit) -> list[tuple[str, Table]]:
    """Return for each label how well each property of the files predicts its class."""
    found = []
    for name in dict.fromkeys(item.of for item in audit.properties):
        items = [item for item in audit.properties if item.of == name]
        labels = list(items[0].means)
        rows = [
            (f"{item.name}, {item.unit}".rstrip(", "), *(f"{item.means[label]:,.4g}" for label in labels),
             f"{item.auc:.2f}", item.higher_in or "-", "alarm" if item.alarm else "")
            for item in items
        ]  # fmt: skip
        head = ("property", *labels, "AUC", "higher in", "")
        found.append((name, Table(head, rows, numbers=range(1, len(labels) + 2))))
    return found


def probe_table(audit: Audit) -> Table:
    """Return the scores of the shortcut baseline."""
    several = len({probe.of for probe in audit.probes}) > 1

    def rows() -> Iterator[Sequence[str]]:
        for probe in audit.probes:
            on = f"{probe.of}: {probe.on}" if several else probe.on
            if probe.accuracy is None:
                yield on, f"not possible: {probe.note}"
            else:
                interval = " to ".join(f"{end:.1%}" for end in probe.interval)
                balanced, explained = (
                    "-" if value is None else f"{value:.1%}" for value in (probe.balanced_accuracy, probe.explained)
                )
                counts = f"{probe.images:,}", f"{probe.sources:,}", "above chance" if probe.alarm else ""
                yield on, f"{probe.accuracy:.2%}", interval, f"{probe.majority:.1%}", balanced, explained, *counts

    head = ("tested on", "accuracy", "95 % interval", "majority", "balanced", "explained", "images", "sources", "")
    return Table(head, list(rows()), numbers=range(1, 8))


def wrong_label_table(audit: Audit) -> Table:
    """Return the labels that are likely wrong, the most likely first."""
    several = len({probe.of for probe in audit.probes}) > 1
    rows = [
        (item.name, f"{item.label}={item.given}" if several else item.given, item.proposed, f"{item.probability:.0%}")
        for item in audit.wrong_labels
    ]
    return Table(("image", "class", "proposed", "probability"), rows, numbers=(3,))


def off_topic_table(audit: Audit) -> Table:
    """Return the images unlike the others, the farthest first."""
    rows = [(item.name, f"{item.distance:.1f}") for item in audit.off_topic]
    return Table(("image", "distance"), rows, numbers=(1,))
