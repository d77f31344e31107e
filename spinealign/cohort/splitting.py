"""Cut a cohort so that no source slice stands in two parts."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np

from spinealign.cohort.cohort import SPLITS, Cohort
from spinealign.errors import CohortError, LeakageError, require
from spinealign.metrics.calibration import MIN_SOURCES, enough_sources

LEAKAGE_POLICIES = ("drop", "error", "keep")
SPLIT_METHODS = ("auto", "official", "source")
FOLDS = 5


def find_leaks(cohort: Cohort) -> list[tuple[str, tuple[str, ...]]]:
    """Return each source, and each patient where known, that stands in more than one split, with these splits.

    A patient is named by a source of theirs.
    """
    return [
        (
            unit if len(sources) == 1 else f"the patient of {unit}",
            tuple(split for split in SPLITS if split in splits),
        )
        for unit, (sources, splits) in sorted(_homes(cohort).items())
        if len(splits) > 1
    ]


def _homes(cohort: Cohort) -> dict[str, tuple[set[str], set[str]]]:
    """Return the sources of each unit, and the splits in which it stands."""
    homes: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for sample, unit in zip(cohort, cohort.units):
        homes[unit][0].add(sample.source)
        if sample.split:
            homes[unit][1].add(sample.split)
    return homes


def resolve_leakage(cohort: Cohort, policy: str) -> Cohort:
    """Deal with sources, and patients where known, that stand in more than one split.

    Args:
        cohort: A cohort with splits.
        policy: `drop` keeps them in the last of their splits (train, val, test) alone, `error` refuses the cohort, and
            `keep` changes nothing.

    Returns:
        The cohort; what was dropped is named in `skipped`.

    Raises:
        LeakageError: With the policy `error`, if there are such.
        ValueError: If the policy is not known.
    """
    if policy not in LEAKAGE_POLICIES:
        raise ValueError(f"on_leakage must be one of {', '.join(LEAKAGE_POLICIES)}, not {policy!r}.")
    leaks = find_leaks(cohort)
    if not leaks or policy == "keep":
        return cohort
    if policy == "error":
        raise LeakageError(leaks)
    last = {unit: max(splits, key=SPLITS.index) for unit, (_, splits) in _homes(cohort).items() if splits}
    kept = tuple(
        sample for sample, unit in zip(cohort, cohort.units) if sample.split is None or sample.split == last[unit]
    )
    dropped = len(cohort) - len(kept)
    named = ", ".join(name for name, _ in leaks)
    line = f"{cohort.name}: dropped {dropped} images of what stands in a later split too: {named}"
    return replace(cohort, samples=kept, skipped=(*cohort.skipped, line), dropped=dropped)


def split_cohort(cohort: Cohort, method: str = "auto", *, seed: int = 0) -> Cohort:
    """Give every sample a split.

    Args:
        cohort: The samples.
        method: `official` keeps the split that the collection brings, `source` cuts anew into about 60 % train, 20 %
            val and 20 % test by patient where known, or else by source slice, stratified by class, and `auto` is
            `official` where there is a split.
        seed: Seed of the cut.

    Returns:
        The same samples with splits; with `source`, no patient and no source stands in two of them.

    Raises:
        CohortError: If the official split lacks train or a held-out part, or a class has fewer patients or sources
            than parts.
        ValueError: If the method is not known.
    """
    if method not in SPLIT_METHODS:
        raise ValueError(f"split must be one of {', '.join(SPLIT_METHODS)}, not {method!r}.")
    if method == "source" or (method == "auto" and not cohort.splits):
        return _split_by_source(cohort, seed)
    unplaced = sum(sample.split is None for sample in cohort)
    if unplaced or "train" not in cohort.splits or cohort.report_split is None:
        raise CohortError(
            f"{cohort.name} brings no whole split: it has {', '.join(cohort.splits) or 'none'}, and {unplaced} images "
            "stand in no part. Use split='source' to cut it by source slice."
        )
    return cohort


def hold_out_calibration(cohort: Cohort, *, seed: int = 0) -> Cohort:
    """Take a fifth of the training sources, or patients, for calibration where the collection brings no part for it.

    Args:
        cohort: A cohort with splits.
        seed: Seed of the choice.

    Returns:
        The same samples; unchanged where there is a part to calibrate on, or where a fifth of the training sources
        would be too few to calibrate.
    """
    train = cohort.part("train")
    per_class = Counter(label for label, _ in {(sample.label, sample.source) for sample in train})
    if cohort.calibration_split or not per_class or min(per_class.values()) < FOLDS * MIN_SOURCES:
        return cohort
    if len(set(train.units)) < FOLDS:
        return cohort
    held_out = set(_folds(train, FOLDS, seed)[0])
    places = [index for index, sample in enumerate(cohort) if sample.split == "train"]
    chosen = {place for number, place in enumerate(places) if number in held_out}
    samples = tuple(
        replace(sample, split="calibration") if index in chosen else sample for index, sample in enumerate(cohort)
    )
    cut = replace(cohort, samples=samples)
    part = cut.part("calibration")
    first = cohort.labels[0]
    enough = enough_sources(np.array([item.label == first for item in part]), [item.source for item in part])
    return cut if enough else cohort


def _folds(cohort: Cohort, folds: int, seed: int) -> list[list[int]]:
    """Return the places of the samples of each fold; no unit stands in two of them, and classes are balanced."""
    require("sklearn", extra="train")
    from sklearn.model_selection import StratifiedGroupKFold

    labels = [sample.label for sample in cohort]
    cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(labels, labels, cohort.units)
    return [[int(index) for index in held_out] for _, held_out in cut]


def _split_by_source(cohort: Cohort, seed: int) -> Cohort:
    per_class = Counter(label for label, _ in {(sample.label, unit) for sample, unit in zip(cohort, cohort.units)})
    folds = min(FOLDS, *per_class.values())
    if folds < 3:
        rare = min(per_class, key=per_class.__getitem__)
        raise CohortError(
            f"{cohort.name}: class {rare} has {per_class[rare]} distinct source slice(s) or patient(s); a cut into "
            "train, val and test needs three. Copies of one slice do not count, nor do further slices of a patient."
        )
    parts = ["train"] * len(cohort)
    for split, held_out in zip(("test", "val"), _folds(cohort, folds, seed)):
        for index in held_out:
            parts[index] = split
    samples = tuple(replace(sample, split=part) for sample, part in zip(cohort, parts))
    return replace(cohort, samples=samples)
