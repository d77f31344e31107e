"""Let images that show the same slice share one source, whatever their names say."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.cohort import SPLITS, Sample
from spinealign.cohort.duplicates.neighbors import connect
from spinealign.cohort.duplicates.similarity import group_by_looks
from spinealign.cohort.loading import LoadedCohort

_LONGEST_NAME = 80


def join_lookalikes(loaded: LoadedCohort, *, progress: bool = True) -> LoadedCohort:
    """Give copies that names do not betray the source of what they are copies of.

    Where the names of two images say that they are different slices of one series, the names are believed: neighbouring
    slices look alike. In every other case looks decide, and equal pixels are one slice whatever the names say.

    Args:
        loaded: The images.
        progress: Show a progress bar.

    Returns:
        The same images. Sources that are one share a name, which lists the first of them in each split, as in
        `train/a.png = val/b.png`; `skipped` says so. Other sources keep their names.
    """
    return join_groups(loaded, group_by_looks(loaded.gray, progress=progress))


def join_groups(loaded: LoadedCohort, groups: NDArray[np.int64]) -> LoadedCohort:
    """Join the sources of a cohort whose images have been grouped by their looks, as `join_lookalikes` does.

    Args:
        loaded: The images.
        groups: A group number for each image, shape (N,).
    """
    cohort = loaded.cohort
    names = _joined_names(loaded, groups)
    if not names:
        return loaded
    samples = tuple(replace(sample, source=names.get(sample.source, sample.source)) for sample in cohort)
    images = sum(sample.source in names for sample in cohort)
    line = (
        f"{cohort.name}: {images} images of {len(names)} sources are copies of {len(set(names.values()))} slices by "
        "their looks, and are counted so"
    )
    return replace(loaded, cohort=replace(cohort, samples=samples, skipped=(*cohort.skipped, line)))


def _joined_names(loaded: LoadedCohort, groups: NDArray[np.int64]) -> dict[str, str]:
    """Return a new name for each source that is joined with another one."""
    cohort = loaded.cohort
    number = {source: place for place, source in enumerate(dict.fromkeys(sample.source for sample in cohort))}
    members: dict[int, list[Sample]] = defaultdict(list)
    for sample, group in zip(cohort, groups.tolist()):
        members[group].append(sample)
    alike = (pair for group in members.values() for pair in _links(group))
    links = [(number[one], number[other]) for one, other in (*alike, *_equal(loaded))]
    component = connect(len(number), np.array(links, np.intp).reshape(-1, 2))
    joined: dict[int, list[Sample]] = defaultdict(list)
    for sample in cohort:
        joined[int(component[number[sample.source]])].append(sample)
    return {
        source: name
        for samples in joined.values()
        if len(sources := {sample.source for sample in samples}) > 1
        for name in (_joint_name(samples),)
        for source in sources
    }


def _links(group: Sequence[Sample]) -> Iterator[tuple[str, str]]:
    """Link the sources of images that look alike with the most frequent of them."""
    known = {sample.source: sample for sample in group}
    anchor = Counter(sample.source for sample in group).most_common(1)[0][0]
    for source, sample in known.items():
        if source != anchor and not _named_apart(sample, known[anchor]):
            yield anchor, source


def _equal(loaded: LoadedCohort) -> Iterator[tuple[str, str]]:
    """Link the sources of images with equal pixels."""
    first: dict[bytes, str] = {}
    for sample, image in zip(loaded.cohort, loaded.gray):
        source = first.setdefault(image.tobytes(), sample.source)
        if source != sample.source:
            yield source, sample.source


def _named_apart(one: Sample, other: Sample) -> bool:
    named = all(sample.source != sample.name for sample in (one, other))
    return named and one.series is not None and one.series == other.series


def _joint_name(samples: Sequence[Sample]) -> str:
    firsts: dict[str | None, str] = {}
    for sample in samples:
        firsts.setdefault(sample.split, sample.source)
    ordered = sorted(firsts, key=lambda split: SPLITS.index(split) if split in SPLITS else len(SPLITS))
    return " = ".join(dict.fromkeys(_shortened(firsts[split]) for split in ordered))


def _shortened(name: str) -> str:
    """Cut the middle out of a very long name; the digest keeps it unique."""
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{name[:30]}...{digest}...{name[-34:]}"
