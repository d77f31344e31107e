"""One source for all copies of a slice, from groups of visually similar images."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.cohort import SPLITS, Cohort, Sample
from spinealign.cohort.duplicates.neighbors import connect
from spinealign.cohort.image_store import pixel_keys
from spinealign.cohort.loading import LoadedCohort
from spinealign.reading.tally import counted

_MAX_NAME = 80


def join_copies(loaded: LoadedCohort, groups: NDArray[np.int64]) -> Cohort:
    """Give copies of one slice the same source, even if their names differ.

    Visual similarity decides, with two exceptions. Images with equal pixels are always copies. Images whose names say
    that they are different slices of one series are not joined: neighboring slices are similar.

    `groups`, shape (N,), are the `visual_groups` of the images. Joined sources share a name, which lists the first of
    them in each split, as in `train/a.png = val/b.png`, and `skipped` counts them. Other sources keep their names.
    """
    cohort = loaded.cohort
    names = _joined_names(loaded, groups)
    if not names:
        return cohort
    samples = tuple(replace(sample, source=names.get(sample.source, sample.source)) for sample in cohort)
    images = sum(sample.source in names for sample in cohort)
    line = (
        f"{cohort.name}: {images} images of {len(names)} sources are counted as copies of "
        f"{counted(len(set(names.values())), 'slice')} because of visual similarity"
    )
    return replace(cohort, samples=samples, skipped=(*cohort.skipped, line))


def _joined_names(loaded: LoadedCohort, groups: NDArray[np.int64]) -> dict[str, str]:
    """Return a new name for each source that is joined with another one."""
    first: dict[bytes, str] = {}
    links = [
        (first.setdefault(key, sample.source), sample.source)
        for sample, key in zip(loaded.cohort, pixel_keys(loaded.looks))
    ]
    members: dict[int, list[Sample]] = defaultdict(list)
    for sample, group in zip(loaded.cohort, groups.tolist()):
        members[group].append(sample)
    for samples in members.values():  # link the sources of a visual group with the most frequent of them
        known = {sample.source: sample for sample in samples}
        anchor = known[Counter(sample.source for sample in samples).most_common(1)[0][0]]
        links += [(anchor.source, source) for source, sample in known.items() if not _different_slices(sample, anchor)]
    number = {source: index for index, source in enumerate(dict.fromkeys(sample.source for sample in loaded.cohort))}
    component = connect(len(number), np.array([(number[one], number[other]) for one, other in links], np.intp))
    joined: dict[int, list[Sample]] = defaultdict(list)
    for sample in loaded.cohort:
        joined[int(component[number[sample.source]])].append(sample)
    names: dict[str, str] = {}
    for samples in joined.values():
        sources = {sample.source for sample in samples}
        if len(sources) > 1:
            names.update(dict.fromkeys(sources, _joint_name(samples)))
    return names


def _different_slices(one: Sample, other: Sample) -> bool:
    """Return whether the names say that two samples are different slices of one series."""
    named = all(sample.source != sample.name for sample in (one, other))
    return named and one.series is not None and one.series == other.series


def _joint_name(samples: Sequence[Sample]) -> str:
    firsts: dict[str | None, str] = {}
    for sample in samples:
        firsts.setdefault(sample.split, sample.source)
    ordered = sorted(firsts, key=(*SPLITS, None).index)
    return " = ".join(dict.fromkeys(_shortened(firsts[split]) for split in ordered))


def _shortened(name: str) -> str:
    """Replace the middle of a long name by a digest, which keeps it unique."""
    if len(name) <= _MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{name[:30]}...{digest}...{name[-34:]}"
