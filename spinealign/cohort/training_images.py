"""Recognition of the images that a model was trained on, by digests of their pixels."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.cohort import SPLITS, Cohort
from spinealign.imaging.slice import Slice


def pixel_digest(image: Slice) -> int:
    """Return a 64-bit digest of the decoded pixels, equal for equal images in any file format."""
    content = f"{image.shape} {image.unit}".encode() + image.pixels.astype("<f4").tobytes()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def training_digests(cohorts: Iterable[Cohort]) -> dict[str, NDArray[np.uint64]]:
    """Return the sorted digests of the images of each split of a training.

    The splits that results are reported on are left out: nothing was trained or calibrated on them. The collections
    must be read and split.
    """
    digests: dict[str, set[int]] = defaultdict(set)
    for cohort in cohorts:
        reported = cohort.report_split
        for sample in cohort:
            if sample.split is not None and sample.split != reported and sample.digest is not None:
                digests[sample.split].add(sample.digest)
    return {split: np.array(sorted(found), np.uint64) for split, found in digests.items()}


def training_splits(cohort: Cohort, digests: Mapping[str, NDArray[np.uint64]]) -> list[str | None]:
    """Return the split of the training in which each image was, or None; `digests` are those of `training_digests`."""
    split_of = {digest: split for split in reversed(SPLITS) if split in digests for digest in digests[split].tolist()}
    return [split_of.get(sample.digest) for sample in cohort]


def spread(cohort: Cohort, splits: Sequence[str | None]) -> list[str | None]:
    """Return for each image the first of `splits` among all images of its source or patient."""
    first: dict[str, str] = {}
    units = cohort.units
    for unit, split in zip(units, splits):
        if split is not None:
            first[unit] = min(first.get(unit, split), split, key=SPLITS.index)
    return [first.get(unit) for unit in units]
