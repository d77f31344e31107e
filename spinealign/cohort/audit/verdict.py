"""Conclusions of an audit as sentences without file names, which a model card can quote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from spinealign.cohort.audit.findings import Audit, Probe
from spinealign.cohort.cohort import SPLITS
from spinealign.labels import SINGLE
from spinealign.metrics.registry import percent
from spinealign.metrics.shortcut import SKEWED


def verdict_of(audit: Audit) -> tuple[str, ...]:
    """Return the conclusions, the most serious first; `audit.verdict` is ignored."""
    sentences = [
        *_probe_sentences(audit),
        *_leak_sentences(audit),
        *_confounding_sentences(audit),
        *_suspect_sentences(audit),
    ]
    if audit.sources < audit.images:
        unequal = audit.effective_sources < audit.sources - 1
        effective = f" (effective number {audit.effective_sources:.1f})" if unequal else ""
        series = "" if audit.series is None else f" of {_count(audit.series, 'series')}"
        sentences.append(
            f"The {audit.images:,} images are copies of {_count(audit.sources, 'source slice')}{series}{effective}: "
            "confidence intervals must be computed over sources, not images."
        )
    untested = not audit.properties and {probe.accuracy for probe in audit.probes} == {None}
    if not audit.alarms and not untested:
        has_splits = len({part.split for part in audit.parts}) > 1
        known = "source, series or patient" if audit.patients is not None else "source or series"
        leaks = f"no known {known} is in two splits and " if has_splits else ""
        sentences.append(f"No alarm: {leaks}no shortcut to the label was found. This does not prove good quality.")
    if unknown := audit.pictures.cohort.unknown_patients:
        sentences.append(unknown)
    if audit.unreadable:
        sentences.append(f"{_count(len(audit.unreadable), 'file')} could not be read.")
    return tuple(sentences)


def _probe_sentences(audit: Audit) -> Iterator[str]:
    for probe in audit.probes:
        if probe.alarm:
            yield _compared(probe, several=_several(audit))
    for probe in audit.probes:
        if probe.accuracy is None:
            of = f" for the label {probe.of}" if _several(audit) else ""
            yield f"The shortcut baseline on {probe.on} could not be tested{of}: {probe.note}."


def _compared(probe: Probe, *, several: bool) -> str:
    """Say what the baseline reaches, which share it explains, and what a model must beat."""
    balanced = probe.majority >= SKEWED or len(probe.classes) > 2
    reached, interval = (
        (probe.balanced_accuracy, probe.balanced_interval) if balanced else (probe.accuracy, probe.interval)
    )
    score = "balanced accuracy" if balanced else "accuracy"
    chance = 1 / len(probe.classes) if balanced else probe.majority
    label = f"the label {probe.of} ({', '.join(probe.classes)})" if several else " from ".join(probe.classes)
    low, high = interval or (0.0, 1.0)
    return (
        f"A linear model on 16x16 thumbnails tells {label} with {percent(reached or 0)} {score} on {probe.on} "
        f"(95 % interval {low:.0%} to {high:.0%}; {chance:.0%} by chance): coarse appearance explains "
        f"{probe.explained or 0:.0%} of the way from chance to perfect. It may be a shortcut, or the label itself if "
        f"that is visible at this size. A model must exceed {high:.0%} to show that it sees more."
    )


def _suspect_sentences(audit: Audit) -> Iterator[str]:
    if audit.wrong_labels:
        yield (
            f"{_count(len(audit.wrong_labels), 'source slice')} may have a wrong label: a linear model on thumbnails "
            "of the others proposes another class. Look at them."
        )
    if audit.off_topic:
        yield f"{_count(len(audit.off_topic), 'image')} may be off topic: unlike all others by their thumbnails."


def _several(audit: Audit) -> bool:
    return len({probe.of for probe in audit.probes}) > 1


def _leak_sentences(audit: Audit) -> Iterator[str]:
    for kind in ("source", "series", "patient"):
        found = [item for item in audit.straddling if item.kind == kind]
        if not found:
            continue
        what = _count(len(found), {"source": "source slice", "series": "series", "patient": "patient"}[kind])
        similar = sum(item.by_looks for item in found)
        how = f", {similar} of them found only by visual similarity" if similar else ""
        counts: Counter[str] = Counter()
        for item in found:
            counts.update(item.images)
        images = ", ".join(f"{_count(counts[split], 'image')} in {split}" for split in SPLITS if counts[split])
        yield f"{what} {'is' if len(found) == 1 else 'are'} in more than one split{how}: {images}."
    if audit.contradicting:
        yield f"Copies of {_count(len(audit.contradicting), 'source slice')} have different labels."


def _confounding_sentences(audit: Audit) -> Iterator[str]:
    for item in audit.class_series:
        series = "one series" if len(item.series) == 1 else f"{len(item.series)} series"
        known = "" if item.known == 1 else f" with a known series ({item.known:.0%})"
        own = ", which no other class has: any feature of the scan identifies the class" if item.own else ""
        of = f" of {item.of}" if item.of != SINGLE else ""
        yield f"Every image of the class {item.label}{of}{known} is from {series}{own}."
    alarming = sorted((item for item in audit.properties if item.alarm), key=lambda item: -item.auc)
    if alarming:
        several = len({item.of for item in audit.properties}) > 1
        named = ", ".join(
            f"{item.name} (AUC {item.auc:.2f}, higher in {f'{item.of}=' if several else ''}{item.higher_in})"
            for item in alarming
        )
        yield f"The label can be predicted from file properties: {named}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 or noun == 'series' else noun + 's'}"
