"""HTML page of an audit, with pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from spinealign.cohort.audit.findings import Audit
from spinealign.reporting.audit_tables import (
    counts_note,
    counts_table,
    off_topic_table,
    probe_table,
    property_tables,
    straddling_table,
    wrong_label_table,
)
from spinealign.reporting.html import picture_url
from spinealign.reporting.tables import Table
from spinealign.reporting.templates import render
from spinealign.writing import new_file

# Largest numbers shown.
_GROUPS, _COPIES = 6, 12
_STRADDLING, _OF_EACH_SPLIT = 8, 8
_SAMPLES = 17
_LINES = 40

_Sheet = list[dict[str, str]]


def write_audit_page(audit: Audit, path: str | Path) -> Path:
    """Write an audit as a self-contained HTML page and return its path; an existing file is replaced."""
    content, path = render_audit_page(audit), Path(path)
    with new_file(path) as staging:
        staging.write_text(content, encoding="utf-8", errors="replace")  # names of files may have lone surrogates
    return path


def render_audit_page(audit: Audit) -> str:
    """Return the page of an audit."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, sample in enumerate(audit.pictures.cohort):
        places[sample.source].append(place)
    series = [(item.label, ", ".join(item.series), "no" if item.own else "yes") for item in audit.class_series]
    place_of = {sample.name: place for place, sample in enumerate(audit.pictures.cohort)}
    shared = [item for item in audit.straddling if item.kind == "source"][:_STRADDLING]
    largest = sorted(places.items(), key=lambda group: -len(group[1]))[:_GROUPS]
    return render(
        "audit.html.jinja",
        audit=audit,
        counts=counts_table(audit),
        counts_note=counts_note(audit),
        straddling=_shortened(straddling_table(audit)),
        straddling_pictures=[(item.name, _sheets(audit, places[item.name], item.images)) for item in shared],
        series=Table(("class", "series", "also in other classes"), series),
        classes=list(_classes(audit)),
        probes=probe_table(audit),
        properties=property_tables(audit),
        wrong_labels=_shortened(wrong_label_table(audit)),
        wrong_pictures=_sheet(audit, [place_of[item.name] for item in audit.wrong_labels[:_SAMPLES]]),
        off_topic=_shortened(off_topic_table(audit)),
        off_topic_pictures=_sheet(audit, [place_of[item.name] for item in audit.off_topic[:_SAMPLES]]),
        copies=[
            (source, len(members), _sheet(audit, _spread(members, _COPIES)))
            for source, members in largest
            if len(members) > 1
        ],
        lines=_LINES,
    )


def _shortened(table: Table) -> Table:
    return replace(table, rows=table.rows[:_LINES])


def _classes(audit: Audit) -> Iterator[tuple[str, _Sheet]]:
    """Yield each class with its average image, and images of different sources."""
    cohort = audit.pictures.cohort
    several = len(cohort.label_names) > 1
    for name, value in [(each, value) for each in cohort.label_names for value in cohort.counts(each)]:
        first = {item.source: place for place, item in reversed(list(enumerate(cohort))) if item.value(name) == value}
        places, label = sorted(first.values()), f"{name}: {value}" if several else value
        total = np.zeros(audit.pictures.gray.shape[1:])
        for gray in audit.pictures.select(places).gray:
            total += gray
        average = (total / len(places)).round().astype(np.uint8)
        note = f"of {len(places):,} source{'s' if len(places) > 1 else ''}"
        shown = _sheet(audit, _spread(places, _SAMPLES))
        yield label, [{"title": "average", "note": note, "url": picture_url(average)}, *shown]


def _spread(places: Sequence[int], count: int) -> list[int]:
    """Return at most `count` items at equal distances."""
    return [places[int(rank)] for rank in np.linspace(0, len(places) - 1, min(count, len(places)))]


def _sheets(audit: Audit, places: Sequence[int], splits: Iterable[str]) -> list[_Sheet]:
    samples = audit.pictures.cohort.samples
    parts = ([place for place in places if samples[place].split == split] for split in splits)
    return [_sheet(audit, part[:_OF_EACH_SPLIT]) for part in parts]


def _sheet(audit: Audit, places: Sequence[int]) -> _Sheet:
    shown = ((audit.pictures.cohort.samples[place], audit.pictures.gray[place]) for place in places)
    return [
        {"title": sample.split or str(sample.label), "note": Path(sample.name).name, "url": picture_url(gray)}
        for sample, gray in shown
    ]
