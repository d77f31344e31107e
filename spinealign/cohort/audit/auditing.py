"""Audit a collection: what it holds, what leaks, and what but the finding gives the label away."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from spinealign.cohort.audit.confounding import positive_label, property_findings, series_of_classes, shortcut_probes
from spinealign.cohort.audit.findings import Audit, PartCount, Straddling
from spinealign.cohort.audit.measuring import Measured, measure_cohort
from spinealign.cohort.audit.verdict import verdict_of
from spinealign.cohort.cohort import SPLITS, Cohort
from spinealign.cohort.duplicates.grouping import join_groups
from spinealign.cohort.duplicates.similarity import group_by_looks
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.splitting import find_leaks
from spinealign.errors import require
from spinealign.metrics.intervals import effective_number


def audit(
    data: str | Path | Cohort, *, source_pattern: str | None = None, progress: bool = True, seed: int = 0
) -> Audit:
    """Audit a collection.

    Args:
        data: A folder, manifest or Hub dataset, as for `index_cohort`, or a cohort.
        source_pattern: What names source and series, as for `index_cohort`.
        progress: Show progress bars.
        seed: Seed of the cross-validation.

    Returns:
        What was found. A file that cannot be read is a finding, no error.

    Raises:
        CohortError: If there is no such collection, or none of its images can be read.
        ValueError: If the pattern is not usable.
        MissingDependencyError: If scikit-learn is not installed.
    """
    require("sklearn", extra="train")
    cohort = data if isinstance(data, Cohort) else index_cohort(data, source_pattern=source_pattern)
    measured = measure_cohort(cohort, progress=progress)
    groups = group_by_looks(measured.loaded.gray, progress=progress)
    joined = join_groups(measured.loaded, groups)
    findings = _findings(measured, replace(measured, loaded=joined), seed)
    sizes = Counter(groups.tolist())
    findings = replace(findings, look_groups=sum(size > 1 for size in sizes.values()))
    return replace(findings, verdict=verdict_of(findings))


def _findings(by_name: Measured, measured: Measured, seed: int) -> Audit:
    loaded = measured.loaded
    cohort = loaded.cohort
    positive = positive_label(cohort.labels)
    sizes = Counter(sample.source for sample in cohort).values()
    return Audit(
        name=cohort.name,
        images=len(cohort),
        positive=positive,
        parts=_parts(cohort),
        sources=len(sizes),
        effective_sources=_effective(cohort, np.ones(len(cohort), bool)),
        series=_distinct([sample.series for sample in cohort]),
        patients=_distinct([sample.patient for sample in cohort]),
        copies=(min(sizes), float(median(sizes)), max(sizes)),
        identical=len(cohort) - len(set(measured.pixel_hashes)),
        look_groups=0,
        straddling=_straddling(by_name.loaded.cohort, cohort),
        contradicting=_contradicting(cohort),
        class_series=series_of_classes(cohort),
        properties=property_findings(cohort, measured.values, positive=positive),
        probes=shortcut_probes(loaded, positive, seed=seed),
        unreadable=measured.unreadable,
        notes=cohort.skipped,
        pictures=loaded,
    )


def _parts(cohort: Cohort) -> tuple[PartCount, ...]:
    places = defaultdict(list)
    for place, sample in enumerate(cohort):
        places[sample.split, sample.label].append(place)
    rank = {split: number for number, split in enumerate((*SPLITS, None))}
    parts = []
    for split, label in sorted(places, key=lambda part: (rank[part[0]], part[1])):
        members = np.zeros(len(cohort), bool)
        members[places[split, label]] = True
        sources = {cohort.samples[place].source for place in places[split, label]}
        parts.append(PartCount(split, label, int(members.sum()), len(sources), _effective(cohort, members)))
    return tuple(parts)


def _effective(cohort: Cohort, members: np.ndarray) -> float:
    _, source = np.unique([sample.source for sample in cohort], return_inverse=True)
    return effective_number(source, members)


def _distinct(names: Sequence[str | None]) -> int | None:
    return None if None in names else len(set(names))


def _straddling(named: Cohort, cohort: Cohort) -> tuple[Straddling, ...]:
    """Return what stands in two splits: sources first, by name and by looks, then series and patients."""
    told_by_name = {source for source, _ in find_leaks(named)}
    kinds: dict[str, list[str | None]] = {
        "source": [sample.source for sample in cohort],
        "series": [sample.series for sample in cohort],
        "patient": [sample.patient for sample in cohort],
    }
    found = []
    for kind, names in kinds.items():
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for sample, name in zip(cohort, names):
            if name is not None and sample.split is not None:
                counts[name][sample.split] += 1
        for name in sorted(name for name, splits in counts.items() if len(splits) > 1):
            images = {split: counts[name][split] for split in SPLITS if split in counts[name]}
            found.append(Straddling(kind, name, images, by_looks=kind == "source" and name not in told_by_name))
    return tuple(found)


def _contradicting(cohort: Cohort) -> tuple[str, ...]:
    labels: dict[str, set[str]] = defaultdict(set)
    for sample in cohort:
        labels[sample.source].add(sample.label)
    return tuple(sorted(source for source, classes in labels.items() if len(classes) > 1))
