"""HTML page of an audit, with pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from spinealign.cohort.audit.findings import Audit, Probe, PropertyFinding
from spinealign.reporting.html import escape, figure, page, sheet, table, write_page

# Largest numbers shown.
_GROUPS, _COPIES = 6, 12
_STRADDLING, _OF_EACH_SPLIT = 8, 8
_SAMPLES = 17
_LINES = 40


def write_audit_page(audit: Audit, path: str | Path) -> Path:
    """Write an audit as a self-contained HTML page and return its path; an existing file is replaced."""
    return write_page(render_audit_page(audit), path)


def render_audit_page(audit: Audit) -> str:
    """Return the page of an audit."""
    parts = (_verdict, _counts, _straddling, _labels, _classes, _probes, _properties, _copies, _files)
    return page(f"Audit of {audit.name}", (markup for part in parts for markup in part(audit)))


def _verdict(audit: Audit) -> Iterator[str]:
    yield f'<h1>Audit of {escape(audit.name)}</h1><p class="quiet">{_count(audit.images, "image")} by spinealign</p>'
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in audit.verdict)
    yield f'<ul class="verdict{" alarm" if audit.alarms else ""}">{sentences}</ul>'


def _counts(audit: Audit) -> Iterator[str]:
    yield "<h2>Counts</h2>"
    rows = [
        (escape(part.split or "-"), escape(part.label), f"{part.images:,}", f"{part.sources:,}",
         f"{part.effective_sources:,.1f}")
        for part in audit.parts
    ]  # fmt: skip
    rows.append(("all", "", f"{audit.images:,}", f"{audit.sources:,}", f"{audit.effective_sources:,.1f}"))
    yield table(("split", "class", "images", "source slices", "effective"), rows, numbers=(2, 3, 4))
    low, middle, high = audit.copies
    yield (
        f"<p>Series: {_known(audit.series)}. Patients: {_known(audit.patients)}. Copies of a source: {low} to {high}, "
        f"median {middle:g}. {_count(audit.identical, 'image')} with the same pixels as an earlier one; "
        f"{_count(audit.look_groups, 'group')} of visually similar images.</p>"
        '<p class="quiet">Effective: number of independent images with the same information as the copies, (sum of '
        "copies)² / sum of squared copies over the sources (Kish, Survey Sampling, 1965).</p>"
    )


def _straddling(audit: Audit) -> Iterator[str]:
    if not audit.straddling:
        return
    yield "<h2>In two splits</h2>"
    rows = [
        (item.kind, escape(item.name), ", ".join(f"{count} in {split}" for split, count in item.images.items()),
         "similarity" if item.by_looks else "name")
        for item in audit.straddling[:_LINES]
    ]  # fmt: skip
    yield table(("what", "name", "images", "found by"), rows)
    yield from _more(len(audit.straddling), _LINES)
    places = _places(audit)
    for item in [item for item in audit.straddling if item.kind == "source"][:_STRADDLING]:
        yield f"<h3>{escape(item.name)}</h3>"
        for split in item.images:
            members = [place for place in places[item.name] if audit.pictures.cohort.samples[place].split == split]
            yield sheet(_figures(audit, members[:_OF_EACH_SPLIT]))


def _labels(audit: Audit) -> Iterator[str]:
    """Yield the names of the series and sources that the verdict counts."""
    if audit.class_series:
        yield "<h2>Classes from few series</h2>"
        yield table(
            ("class", "series", "also in other classes"),
            [
                (escape(item.label), escape(", ".join(item.series)), "no" if item.own else "yes")
                for item in audit.class_series
            ],
        )
    if audit.contradicting:
        yield "<h2>Sources with more than one class</h2>"
        yield f"<p>{escape('; '.join(audit.contradicting[:_LINES]))}</p>"
        yield from _more(len(audit.contradicting), _LINES)


def _classes(audit: Audit) -> Iterator[str]:
    yield "<h2>Images of each class</h2>"
    yield '<p class="quiet">The average image of each class, and images of different sources. Check whether they '
    yield "differ in more than the finding.</p>"
    cohort = audit.pictures.cohort
    for label in cohort.labels:
        first = {sample.source: place for place, sample in reversed(list(enumerate(cohort))) if sample.label == label}
        places = sorted(first.values())
        chosen = [places[int(rank)] for rank in np.linspace(0, len(places) - 1, min(_SAMPLES, len(places)))]
        average = audit.pictures.gray[places].mean(axis=0).round().astype(np.uint8)
        yield f"<h3>{escape(label)}</h3>"
        yield sheet([figure(average, "average", note=f"of {_count(len(places), 'source')}"), *_figures(audit, chosen)])


def _probes(audit: Audit) -> Iterator[str]:
    yield "<h2>Shortcut baseline</h2>"
    yield (
        '<p class="quiet">Ridge regression on thumbnails of 16 by 16 pixels, which cannot show the finding. Its '
        "accuracy shows how far coarse image content predicts the class; intervals are over sources.</p>"
    )
    yield table(
        ("tested on", "accuracy", "", "95 % interval", "majority", "images", "sources"),
        [_probe_row(probe) for probe in audit.probes],
        numbers=(1, 3, 4, 5, 6),
    )


def _probe_row(probe: Probe) -> Sequence[str]:
    if probe.accuracy is None:
        return (escape(probe.on), "-", f"not possible: {escape(probe.note)}", "", "", "", "")
    low, high = probe.interval
    return (
        escape(probe.on),
        _marked(f"{probe.accuracy:.2%}", probe.alarm),
        _marked(_bar(probe.accuracy), probe.alarm),
        f"{low:.1%} to {high:.1%}",
        f"{probe.majority:.1%}",
        f"{probe.images:,}",
        f"{probe.sources:,}",
    )


def _properties(audit: Audit) -> Iterator[str]:
    if not audit.properties:
        return
    labels = list(audit.properties[0].means)
    yield "<h2>Properties of the files</h2>"
    yield (
        '<p class="quiet">How well each property separates the classes: an AUC of 0.5 is chance, 1 is perfect. Means '
        "over the copies of a source are compared; an alarm needs enough sources to make chance unlikely.</p>"
    )
    yield table(
        ("property", *map(escape, labels), "AUC", "", "higher in"),
        [_property_row(item, labels) for item in audit.properties],
        numbers=range(1, len(labels) + 2),
    )


def _property_row(item: PropertyFinding, labels: Sequence[str]) -> Sequence[str]:
    unit = f' <span class="quiet">{escape(item.unit)}</span>' if item.unit else ""
    return (
        f"{escape(item.name)}{unit}",
        *(f"{item.means[label]:,.4g}" for label in labels),
        _marked(f"{item.auc:.2f}", item.alarm),
        _marked(_bar(2 * item.auc - 1), item.alarm),
        escape(item.higher_in or "-"),
    )


def _copies(audit: Audit) -> Iterator[str]:
    groups = sorted(_places(audit).items(), key=lambda group: -len(group[1]))[:_GROUPS]
    groups = [(source, members) for source, members in groups if len(members) > 1]
    if not groups:
        return
    yield "<h2>Sources with the most copies</h2>"
    for source, members in groups:
        yield f"<h3>{escape(source)} <span class='quiet'>{_count(len(members), 'image')}</span></h3>"
        chosen = [members[int(rank)] for rank in np.linspace(0, len(members) - 1, min(_COPIES, len(members)))]
        yield sheet(_figures(audit, chosen))


def _files(audit: Audit) -> Iterator[str]:
    for title, lines in (("Files that could not be read", audit.unreadable), ("Notes", audit.notes)):
        if lines:
            yield f"<h2>{title}</h2><ul>{''.join(f'<li>{escape(line)}</li>' for line in lines[:_LINES])}</ul>"
            yield from _more(len(lines), _LINES)


def _places(audit: Audit) -> dict[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, sample in enumerate(audit.pictures.cohort):
        places[sample.source].append(place)
    return places


def _figures(audit: Audit, places: Sequence[int]) -> Iterator[str]:
    return (_figure(audit, place) for place in places)


def _figure(audit: Audit, place: int) -> str:
    sample = audit.pictures.cohort.samples[place]
    return figure(audit.pictures.gray[place], sample.split or sample.label, note=Path(sample.name).name)


def _bar(share: float) -> str:
    return f'<span class="bar"><i style="width:{100 * share:.0f}%"></i></span>'


def _marked(markup: str, alarm: bool) -> str:
    return f'<span class="alarmed">{markup}</span>' if alarm else markup


def _more(count: int, shown: int) -> Iterator[str]:
    if count > shown:
        yield f'<p class="quiet">... and {count - shown} more</p>'


def _known(number: int | None) -> str:
    return "not known" if number is None else f"{number:,}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"
