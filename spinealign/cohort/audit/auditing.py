"""Audit of a collection before training."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from spinealign.cohort.audit.confounding import Classes, property_findings, series_of_classes, shortcut_probes
from spinealign.cohort.audit.findings import Audit, PartCount, Probe, Straddling, Suspect
from spinealign.cohort.audit.suspects import class_probabilities, likely_wrong, off_topic
from spinealign.cohort.audit.verdict import verdict_of
from spinealign.cohort.cohort import SPLITS, Cohort, Sample
from spinealign.cohort.duplicates.grouping import join_copies
from spinealign.cohort.image_cache import cache_folder
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import LoadedCohort, read_cohort
from spinealign.cohort.options import CollectionOptions
from spinealign.cohort.rendering import STANDARD
from spinealign.cohort.splitting import find_leaks
from spinealign.errors import require
from spinealign.metrics.intervals import effective_number
from spinealign.metrics.shortcut import thumbnail


def audit(
    data: str | Path | Cohort | LoadedCohort,
    *,
    crop_search: bool = False,
    progress: bool = True,
    seed: int = 0,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Audit:
    """Audit a collection.

    Args:
        data: Folder, manifest or id of a Hub dataset, as for `index_cohort`; a cohort; or the result of
            `read_cohort`, whose files are not read again.
        crop_search: Find also copies that were cropped, shifted or placed on a larger canvas; takes longer.
        progress: Show progress bars.
        seed: Seed of the cross-validation.
        cache_dir: Folder that keeps the rendered images for the next run; by default they are in a temporary folder,
            which is deleted with the result.
        **options: Fields of `CollectionOptions`, such as `patient_pattern` or `label_column`; ignored for a cohort.

    Returns:
        The findings. A file that cannot be read is a finding, not an error.

    Raises:
        CohortError: If the collection cannot be found, or none of its images can be read.
        TypeError: If an option is unknown.
        ValueError: If a pattern is invalid, or the loaded cohort is a part of one.
        MissingDependencyError: If scikit-learn is not installed, or `cache_dir` is given without datasets.
    """
    require("sklearn", extra="evaluate")
    reading = CollectionOptions(**options)
    if not isinstance(data, LoadedCohort):
        cohort = data if isinstance(data, Cohort) else index_cohort(data, reading)
        data = read_cohort(cohort, progress=progress, folder=cache_folder(cache_dir))
    if not data.properties:
        raise ValueError("Expected a cohort as returned by read_cohort, got a part or a split of one.")
    groups = data.visual_groups(crop_search=crop_search, progress=progress)
    cohort = join_copies(data, groups)
    features = np.stack([thumbnail(gray) for gray in data.looks])
    labels = [_judge_label(Classes.of(cohort, features, label=name), seed=seed) for name in cohort.label_names]
    sizes = Counter(sample.source for sample in cohort).values()
    given = {(item.source, name, item.value(name)) for item in cohort for name in cohort.label_names}
    classes = Counter((source, name) for source, name, value in given if value is not None)
    pictures = LoadedCohort(cohort, data.looks, STANDARD)
    unreadable = tuple(message for _, message in data.unreadable)
    findings = Audit(
        name=cohort.name,
        images=len(cohort),
        parts=_parts(cohort),
        sources=len(sizes),
        effective_sources=_effective_sources(cohort.samples),
        series=_distinct([sample.series for sample in cohort]),
        patients=_distinct([sample.patient for sample in cohort]),
        copies=(min(sizes), float(median(sizes)), max(sizes)),
        identical=len(cohort) - len({sample.digest for sample in cohort}),
        look_groups=sum(size > 1 for size in Counter(groups.tolist()).values()),
        straddling=_straddling(data.cohort, cohort),
        contradicting=tuple(sorted({source for (source, _), count in classes.items() if count > 1})),
        class_series=tuple(item for name in cohort.label_names for item in series_of_classes(cohort, name)),
        properties=tuple(
            item for name in cohort.label_names for item in property_findings(cohort, data.properties, name=name)
        ),
        probes=tuple(probe for probes, _ in labels for probe in probes),
        unreadable=unreadable,
        notes=tuple(line for line in cohort.skipped if line not in unreadable),
        pictures=pictures,
        wrong_labels=tuple(suspect for _, suspects in labels for suspect in suspects),
        off_topic=off_topic(features, names=[item.name for item in cohort], sources=[item.source for item in cohort]),
    )
    return replace(findings, verdict=verdict_of(findings))


def _judge_label(classes: Classes, *, seed: int) -> tuple[tuple[Probe, ...], tuple[Suspect, ...]]:
    """Test the shortcut baseline on a label, and if it tells the classes, search for labels that it contradicts."""
    fold = classes.folds(seed=seed) if len(classes.names) > 1 else None
    probes = shortcut_probes(classes, fold)
    if fold is None or not probes[-1].alarm:
        return probes, ()
    names = [sample.name for sample in classes.samples]
    suspects = likely_wrong(
        class_probabilities(classes.features, classes.codes, fold=fold),
        classes.codes,
        classes=classes.names,
        names=names,
        sources=classes.sources.tolist(),
        label=classes.label,
    )
    return probes, suspects


def _parts(cohort: Cohort) -> tuple[PartCount, ...]:
    parts: dict[tuple[str | None, str], list[Sample]] = defaultdict(list)
    for sample in cohort:
        for name in cohort.label_names:
            value = sample.value(name)
            if value is not None:
                parts[sample.split, value if sample.label is not None else f"{name}={value}"].append(sample)
    ordered = sorted(parts.items(), key=lambda part: ((*SPLITS, None).index(part[0][0]), part[0][1]))
    return tuple(
        PartCount(split, label, len(part), len({item.source for item in part}), _effective_sources(part))
        for (split, label), part in ordered
    )


def _effective_sources(samples: Sequence[Sample]) -> float:
    _, source = np.unique([sample.source for sample in samples], return_inverse=True)
    return effective_number(source, np.ones(len(samples), bool))


def _distinct(names: Sequence[str | None]) -> int | None:
    return None if None in names else len(set(names))


def _straddling(named: Cohort, cohort: Cohort) -> tuple[Straddling, ...]:
    """Return the sources in more than one split, then the series and the patients; `named` has the sources by name."""
    known_by_name = {source for source, _ in find_leaks(named)}
    return tuple(
        Straddling(kind, name, images, by_looks=kind == "source" and name not in known_by_name)
        for kind in ("source", "series", "patient")
        for name, images in cohort.divided(kind).items()
    )
