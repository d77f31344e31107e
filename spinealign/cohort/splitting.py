"""Splits of a cohort that share neither source slices nor patients."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinealign.cohort.cohort import SPLITS, Cohort
from spinealign.cohort.duplicates.grouping import join_copies
from spinealign.cohort.image_cache import cache_folder
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import LoadedCohort, read_cohort, require_readable
from spinealign.cohort.options import CollectionOptions
from spinealign.errors import CohortError, LeakageError
from spinealign.labels import SINGLE
from spinealign.metrics.calibration import MIN_SOURCES
from spinealign.metrics.folds import balanced_folds

LEAKAGE_POLICIES = ("drop", "error", "keep")
SPLIT_METHODS = ("auto", "official", "source")
FOLDS = 5
_SPLITS = 3  # train, val and test


def load_cohort(
    data: str | Path,
    *,
    split: str | None = None,
    seed: int = 42,
    progress: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Cohort:
    """Load a collection as an iterable of samples, and split it if asked.

    Without `split`, no image is opened. With it, all images are read and copies are found by name and by visual
    similarity, so that copies of one slice are never in two splits. The cohort remembers method and seed, so a training
    with it uses the same splits, and may hold out part of `train` for calibration.

    Args:
        data: Folder, manifest or id of a Hub dataset, as for `index_cohort`.
        split: `auto`, `official` or `source`, as for `split_cohort`; None keeps the splits of the collection.
        seed: Seed of the split; the default is that of a training.
        progress: Show progress bars.
        cache_dir: Folder that keeps the rendered images for the next run; None keeps nothing.
        **options: Fields of `CollectionOptions`, such as `patient_pattern` or `label_column`.

    Returns:
        The samples; `skipped` lists what was left out. Copies in an earlier split are dropped.

    Raises:
        CohortError: If the collection cannot be found, read or split.
        TypeError: If an option is unknown.
        ValueError: If a pattern or the method is invalid.
    """
    reading = CollectionOptions(**options)
    patterns = {name: getattr(reading, name) for name in ("source_pattern", "patient_pattern")}
    cohort = replace(index_cohort(data, reading), **patterns)
    if split is None:
        return cohort
    _check_choice("split", split, SPLIT_METHODS)
    loaded = read_cohort(cohort, progress=progress, folder=cache_folder(cache_dir))
    require_readable(loaded)
    method = "official" if split == "auto" and cohort.splits else split.replace("auto", "source")
    parts = split_images(loaded, split=method, on_leakage="drop", seed=seed, progress=progress).cohort
    return replace(parts, split_method=method, split_seed=seed)


def split_images(
    loaded: LoadedCohort, *, split: str | None, on_leakage: str, seed: int = 0, progress: bool = True
) -> LoadedCohort:
    """Join the copies among the images, split them as `split_cohort`, and resolve leakage as `resolve_leakage`.

    With None as `split`, splits are kept as they are. In the result, copies have one source, whether known by name,
    manifest or visual similarity.

    Raises:
        CohortError: If they cannot be split.
        LeakageError: With the policy `error`, if a source or patient is in two splits.
    """
    cohort = join_copies(loaded, loaded.visual_groups(progress=progress))
    if split is not None:
        cohort = split_cohort(cohort, split, seed=seed)
        if unknown := cohort.unknown_patients:
            cohort = replace(cohort, skipped=(*cohort.skipped, f"{cohort.name}: {unknown[0].lower()}{unknown[1:-1]}"))
    return loaded.matching(resolve_leakage(cohort, on_leakage))


def find_leaks(cohort: Cohort) -> list[tuple[str, tuple[str, ...]]]:
    """Return each source, and each known patient, that is in more than one split, with these splits.

    Patients are named by one of their sources.
    """
    sources: dict[str, set[str]] = defaultdict(set)
    splits: dict[str, set[str]] = defaultdict(set)
    for sample, unit in zip(cohort, cohort.units):
        sources[unit].add(sample.source)
        if sample.split is not None:
            splits[unit].add(sample.split)
    return [
        (unit if len(sources[unit]) == 1 else f"the patient of {unit}", tuple(sorted(splits[unit], key=SPLITS.index)))
        for unit in sorted(splits)
        if len(splits[unit]) > 1
    ]


def resolve_leakage(cohort: Cohort, policy: str) -> Cohort:
    """Handle sources, and known patients, that are in more than one split.

    The policy `drop` keeps them only in the last of their splits (train, calibration, val, test), and `skipped` names
    what was dropped; `error` raises, and `keep` changes nothing.

    Raises:
        LeakageError: With the policy `error`, if there are any.
        ValueError: If the policy is unknown.
    """
    _check_choice("on_leakage", policy, LEAKAGE_POLICIES)
    leaks = find_leaks(cohort)
    if not leaks or policy == "keep":
        return cohort
    if policy == "error":
        raise LeakageError(leaks)
    last: dict[str, str] = {}
    for sample, unit in zip(cohort, cohort.units):
        if sample.split is not None:
            last[unit] = max(last.get(unit, sample.split), sample.split, key=SPLITS.index)
    kept = tuple(sample for sample, unit in zip(cohort, cohort.units) if sample.split in (None, last.get(unit)))
    dropped = len(cohort) - len(kept)
    named = ", ".join(name for name, _ in leaks)
    line = f"{cohort.name}: dropped {dropped} images whose source or patient is also in a later split: {named}"
    return replace(cohort, samples=kept, skipped=(*cohort.skipped, line), dropped=dropped)


def split_cohort(cohort: Cohort, method: str = "auto", *, seed: int = 0) -> Cohort:
    """Assign a split to every sample.

    `official` keeps the splits of the collection. `source` makes a new split into about 60 % train, 20 % val and 20 %
    test, stratified by class and grouped by patient, or by source if the patient is unknown, so that none is in two of
    them. With several labels, frequent combinations of their classes are kept in proportion. `auto` is `official` if
    the collection has splits, and `source` otherwise.

    Raises:
        CohortError: If the official split lacks train or a held-out split, or the classes of a label have too few
            patients or sources.
        ValueError: If the method is unknown.
    """
    _check_choice("split", method, SPLIT_METHODS)
    if method == "official" or (method == "auto" and cohort.splits):
        unassigned = sum(sample.split is None for sample in cohort)
        if unassigned or "train" not in cohort.splits or cohort.report_split is None:
            raise CohortError(
                f"{cohort.name} has no complete split: it has {', '.join(cohort.splits) or 'none'}, and {unassigned} "
                "images without a split. Use split='source' to split it by source slice."
            )
        return cohort
    folds = FOLDS
    for name, per_class in _groups_of_classes(cohort, cohort.units).items():
        frequent = [count for count in per_class.values() if count >= _SPLITS]
        if len(frequent) < min(2, len(per_class)) or (len(per_class) <= 2 and min(per_class.values()) < _SPLITS):
            rare = min(per_class, key=per_class.__getitem__)
            label = "" if name == SINGLE else f" of label {name}"
            raise CohortError(
                f"{cohort.name}: class {rare}{label} has {per_class[rare]} distinct source slice(s) or patient(s); a "
                f"split into train, val and test needs at least {_SPLITS}. Copies of a slice and further slices of a "
                "patient do not count."
            )
        folds = min(folds, *frequent)
    split_of = {0: "test", 1: "val"}
    samples = (
        replace(sample, split=split_of.get(fold, "train")) for sample, fold in zip(cohort, _folds(cohort, folds, seed))
    )
    return replace(cohort, samples=tuple(samples))


def hold_out_calibration(cohort: Cohort, *, seed: int = 0) -> Cohort:
    """Move a random fifth of the training sources, or patients, to a calibration split.

    The cohort is returned unchanged if it has a split for calibration, or if a fifth of the sources is too few.
    """
    train = cohort.part("train")
    if cohort.calibration_split or not _has_sources(train, FOLDS * MIN_SOURCES) or len(set(train.units)) < FOLDS:
        return cohort
    folds = iter(_folds(train, FOLDS, seed))
    samples = (
        replace(sample, split="calibration") if sample.split == "train" and next(folds) == 0 else sample
        for sample in cohort
    )
    changed = replace(cohort, samples=tuple(samples))
    return changed if _has_sources(changed.part("calibration"), MIN_SOURCES) else cohort


def _has_sources(cohort: Cohort, number: int) -> bool:
    """Return whether two classes of a label have a number of distinct sources each."""
    per_label = _groups_of_classes(cohort, [sample.source for sample in cohort])
    return any(sum(count >= number for count in per_class.values()) > 1 for per_class in per_label.values())


def _groups_of_classes(cohort: Cohort, groups: Sequence[str]) -> dict[str, Counter[str]]:
    """Return the number of distinct groups of images, such as sources, of each class of each label."""
    return {
        name: Counter(
            value for value, _ in {(sample.value(name), group) for sample, group in zip(cohort, groups)} if value
        )
        for name in cohort.label_names
    }


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")


def _folds(cohort: Cohort, folds: int, seed: int) -> list[int]:
    """Return the fold of each image: grouped by `cohort.units`, stratified by the classes of all labels together."""
    kinds = ["/".join(str(sample.value(name)) for name in cohort.label_names) for sample in cohort]
    found: list[int] = balanced_folds(kinds, cohort.units, folds=folds, seed=seed).tolist()
    return found
