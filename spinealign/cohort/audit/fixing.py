"""A manifest in which no source, patient or series is in two splits."""

from __future__ import annotations

import csv
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from spinealign.cohort.cohort import Cohort, linked
from spinealign.cohort.splitting import split_cohort
from spinealign.config import MANIFEST_FILE
from spinealign.errors import CohortError
from spinealign.labels import SINGLE
from spinealign.writing import new_folder

logger = logging.getLogger(__name__)

_COLUMNS = ("path", "split", "source", "series", "patient", "size_mm", "level")


def write_fixed_split(cohort: Cohort, folder: Path, *, seed: int = 0) -> Path:
    """Write the manifest of `fixed_split` into a new or empty folder, and return its path.

    Raises:
        CohortError: If an image is not a file, or a class would be missing in a split.
        FileExistsError: If the folder is not empty.
    """
    if not all(isinstance(sample.image, str) for sample in cohort):
        raise CohortError(f"{cohort.name}: a manifest needs images in files; download the data set first.")
    samples = fixed_split(cohort, seed=seed).samples
    names = cohort.label_names
    with new_folder(folder) as staging, (staging / MANIFEST_FILE).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow((*_COLUMNS, *(names if len(names) > 1 else (SINGLE,))))
        for sample in samples:
            path = os.path.relpath(str(sample.image), folder.resolve())
            known = [getattr(sample, name) for name in _COLUMNS[1:]] + [sample.value(name) for name in names]
            writer.writerow([path, *("" if value is None else value for value in known)])
    return folder.resolve() / MANIFEST_FILE


def fixed_split(cohort: Cohort, *, seed: int = 0) -> Cohort:
    """Return the cohort with every source, patient and, if possible, series in one split.

    A group that is in one split already stays there. The others go, the largest first, where they change the shares of
    the classes least. A collection without splits is split as by `split_cohort`. If keeping series together would leave
    a split without a class, only sources and patients are kept together, and a warning is logged.

    Raises:
        CohortError: If a class would be missing in a split.
    """
    if not cohort.splits:
        return split_cohort(cohort, "source", seed=seed)
    for columns in (("source", "patient", "series"), ("source", "patient")):
        groups = linked(*([getattr(sample, column) for sample in cohort] for column in columns))
        fixed = _reassigned(cohort, groups, seed=seed)
        missing = [
            f"{split} has no {value}"
            for split in cohort.splits
            for name in cohort.label_names
            for value in cohort.counts(name)
            if value not in fixed.part(split).counts(name)
        ]
        if not missing:
            if divided := fixed.divided("series"):
                logger.warning(
                    "%s: %s of %s series are in two splits: keeping them together would leave a split without a class.",
                    cohort.name, f"{len(divided):,}", f"{len({sample.series for sample in fixed} - {None}):,}",
                )  # fmt: skip
            return fixed
    raise CohortError(
        f"{cohort.name} cannot be split without a leak: {', '.join(missing)}. Add images of other patients or sources."
    )


def _reassigned(cohort: Cohort, groups: Sequence[int], *, seed: int) -> Cohort:
    members: dict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(groups):
        members[number].append(index)
    classes = [
        tuple(f"{name}={sample.value(name)}" for name in cohort.label_names if sample.value(name) is not None)
        for sample in cohort
    ]
    total = Counter(value for values in classes for value in values)
    wanted = {
        split: Counter(value for sample, values in zip(cohort, classes) if sample.split == split for value in values)
        for split in cohort.splits
    }
    splits: list[str | None] = [None] * len(cohort)
    present = {split: Counter[str]() for split in cohort.splits}

    def place(group: list[int], split: str) -> None:
        for index in group:
            splits[index] = split
            present[split].update(classes[index])

    torn = []
    for group in members.values():
        homes = {cohort.samples[index].split for index in group}
        home = homes.pop() if len(homes) == 1 else None
        if home is None:
            torn.append(group)
        else:
            place(group, home)
    order = np.random.default_rng(seed).permutation(len(torn))
    for group in sorted((torn[index] for index in order), key=len, reverse=True):
        added = Counter(value for index in group for value in classes[index])

        def excess(split: str, added: Counter[str] = added) -> float:
            """Return the change of the squared differences from the wanted counts, relative to the class."""
            gaps = {value: present[split][value] - wanted[split][value] for value in added}
            return sum(((gaps[value] + added[value]) ** 2 - gaps[value] ** 2) / total[value] ** 2 for value in added)

        place(group, min(cohort.splits, key=excess))
    samples = tuple(replace(sample, split=split) for sample, split in zip(cohort, splits))
    return replace(cohort, samples=samples)
