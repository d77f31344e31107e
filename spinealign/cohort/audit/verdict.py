"""What an audit means, in plain sentences that name no file, so that a model card may quote them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from spinealign.cohort.audit.findings import Audit, Probe, Straddling
from spinealign.cohort.cohort import SPLITS
from spinealign.metrics.evaluation import reached_by_ridge


def verdict_of(audit: Audit) -> tuple[str, ...]:
    """Return the conclusions, the gravest first.

    Args:
        audit: The findings; what `verdict` says is not looked at.
    """
    sentences = [
        *_probe_sentences(audit),
        *_leak_sentences(audit),
        *_label_sentences(audit),
        *_confounding_sentences(audit),
        *_size_sentences(audit),
    ]
    if not audit.alarms:
        scope = "No source, series or patient known here stands in two splits" if _has_splits(audit) else "No leak"
        sentences.append(f"{scope}, and nothing that was looked for gives the label away. This is no proof of quality.")
    if audit.unreadable:
        sentences.append(f"{_count(len(audit.unreadable), 'file')} could not be read.")
    return tuple(sentences)


def _probe_sentences(audit: Audit) -> Iterator[str]:
    for probe in audit.probes:
        if probe.alarm and probe.accuracy is not None:
            yield (
                f"A linear model on 16x16 thumbnails reaches {_reached(probe)} on {probe.on}: {_worthless(probe)} "
                f"says nothing about {_plural(audit.positive)}."
            )
    for probe in audit.probes:
        if probe.accuracy is None:
            yield f"The shortcut probe on {probe.on} is not possible: {probe.note}."


def _reached(probe: Probe) -> str:
    return reached_by_ridge(probe.accuracy or 0.0, probe.balanced_accuracy, majority=probe.majority)


def _worthless(probe: Probe) -> str:
    return "accuracy over these sources" if "fold" in probe.on else "accuracy on this split"


def _plural(label: str | None) -> str:
    return "fractures" if label == "fracture" else f"the class {label}"


def _leak_sentences(audit: Audit) -> Iterator[str]:
    for kind in ("source", "series", "patient"):
        found = [item for item in audit.straddling if item.kind == kind]
        if not found:
            continue
        what = _count(len(found), {"source": "source slice", "series": "series", "patient": "patient"}[kind])
        looks = sum(item.by_looks for item in found)
        told = f", {looks} of them betrayed by looks alone" if looks else ""
        stands = "stands" if len(found) == 1 else "stand"
        yield f"{what} {stands} in more than one split{told}: {_images(found)}."


def _images(found: list[Straddling]) -> str:
    counts: Counter[str] = Counter()
    for item in found:
        counts.update(item.images)
    return ", ".join(f"{_count(counts[split], 'image')} in {split}" for split in SPLITS if counts[split])


def _label_sentences(audit: Audit) -> Iterator[str]:
    if audit.contradicting:
        yield f"Copies of {_count(len(audit.contradicting), 'source slice')} carry different classes."


def _confounding_sentences(audit: Audit) -> Iterator[str]:
    for item in audit.class_series:
        series = "one series" if len(item.series) == 1 else f"{len(item.series)} series"
        whose = "" if item.known == 1 else f" whose series is known ({item.known:.0%})"
        alone = ", which no other class has: whatever marks the scan marks the class" if item.own else ""
        yield f"Every image of the class {item.label}{whose} comes from {series}{alone}."
    telling = sorted((item for item in audit.properties if item.alarm), key=lambda item: -item.auc)
    if telling:
        named = ", ".join(f"{item.name} (AUC {item.auc:.2f}, higher in {item.higher_in})" for item in telling)
        yield f"The label can be guessed from properties of the files: {named}."


def _size_sentences(audit: Audit) -> Iterator[str]:
    if audit.sources < audit.images:
        worth = (
            f", worth {audit.effective_sources:.1f} of equal size"
            if audit.effective_sources < audit.sources - 1
            else ""
        )
        known = "" if audit.series is None else f" of {_count(audit.series, 'series')}"
        yield (
            f"The {audit.images:,} images are copies of {_count(audit.sources, 'source slice')}{known}{worth}: "
            "intervals must count sources, not images."
        )


def _has_splits(audit: Audit) -> bool:
    return len({part.split for part in audit.parts}) > 1


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 or noun == 'series' else noun + 's'}"
