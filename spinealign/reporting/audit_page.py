"""HTML page of an audit, with pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.audit.findings import Audit
from spinealign.reporting.audit_tables import counts_note, counts_table, probe_table, property_table, straddling_table
from spinealign.reporting.html import picture_url
from spinealign.reporting.tables import Table
from spinealign.reporting.templates import render
from spinealign.writing import new_file

# Largest numbers shown.
_GROUPS, _COPIES = 6, 12
_STRADDLING, _OF_EACH_SPLIT = 8, 8
_SAMPLES = 17
_LINES = 40

_Sheet = list[dict[str, Any]]


def write_audit_page(audit: Audit, path: str | Path) -> Path:
    """Write an audit as a self-contained HTML page and return its path; an existing file is replaced."""
    content, path = render_audit_page(audit), Path(path)
    with new_file(path) as staging:
        staging.write_text(content, encoding="utf-8", errors="replace")  # names of files may have lone surrogates
    return path


def render_audit_page(audit: Audit) -> str:
    """Return the page of an audit."""
    series = [(item.label, ", ".join(item.series), "no" if item.own else "yes") for item in audit.class_series]
    straddling = straddling_table(audit)
    return render(
        "audit.html.jinja",
        audit=audit,
        counts=counts_table(audit),
        counts_note=counts_note(audit),
        straddling=replace(straddling, rows=straddling.rows[:_LINES]),
        straddling_pictures=_straddling_pictures(audit),
        series=Table(("class", "series", "also in other classes"), series),
        classes=list(_classes(audit)),
        probes=probe_table(audit),
        properties=property_table(audit),
        copies=list(_copies(audit)),
        lines=_LINES,
    )


def _straddling_pictures(audit: Audit) -> Iterator[tuple[str, list[_Sheet]]]:
    """Yield the name of each source that is in two splits, and its pictures in each split."""
    places, samples = _places(audit), audit.pictures.cohort.samples
    for item in [item for item in audit.straddling if item.kind == "source"][:_STRADDLING]:
        parts = ([place for place in places[item.name] if samples[place].split == split] for split in item.images)
        yield item.name, [_sheet(audit, part[:_OF_EACH_SPLIT]) for part in parts]


def _classes(audit: Audit) -> Iterator[tuple[str, _Sheet]]:
    """Yield each class with its average image, and images of different sources."""
    cohort = audit.pictures.cohort
    for label in cohort.labels:
        first = {sample.source: place for place, sample in reversed(list(enumerate(cohort))) if sample.label == label}
        places = sorted(first.values())
        average = audit.pictures.gray[places].mean(axis=0).round().astype(np.uint8)
        note = f"of {len(places):,} source{'s' if len(places) > 1 else ''}"
        yield label, [_figure(average, "average", note), *_sheet(audit, _spread(places, _SAMPLES))]


def _copies(audit: Audit) -> Iterator[tuple[str, int, _Sheet]]:
    """Yield the sources with the most copies, the number of copies, and pictures of them."""
    groups = sorted(_places(audit).items(), key=lambda group: -len(group[1]))[:_GROUPS]
    for source, members in groups:
        if len(members) > 1:
            yield source, len(members), _sheet(audit, _spread(members, _COPIES))


def _places(audit: Audit) -> dict[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, sample in enumerate(audit.pictures.cohort):
        places[sample.source].append(place)
    return places


def _spread(places: Sequence[int], count: int) -> list[int]:
    """Return at most `count` items at equal distances."""
    return [places[int(rank)] for rank in np.linspace(0, len(places) - 1, min(count, len(places)))]


def _sheet(audit: Audit, places: Sequence[int]) -> _Sheet:
    samples, gray = audit.pictures.cohort.samples, audit.pictures.gray
    return [
        _figure(gray[place], samples[place].split or samples[place].label, Path(samples[place].name).name)
        for place in places
    ]


def _figure(gray: NDArray[np.uint8], title: str, note: str) -> dict[str, Any]:
    return {"title": title, "note": note, "url": picture_url(gray)}
