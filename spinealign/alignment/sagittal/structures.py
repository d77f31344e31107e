"""Discs between vertebral bodies, from the probabilities of a segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy import ndimage

from spinealign.alignment.sagittal.instances import THRESHOLD, Array, Mask, Structure

NEAR = 0.5  # distance of a disc from the middle between its neighbors, in their distance
SPECK = 0.1  # of the largest part of a structure; smaller parts are none of it


def without_specks(mask: Mask) -> Mask:
    """Return the connected parts of a mask that are not small beside the largest one."""
    labels, _ = ndimage.label(mask)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    kept: Mask = (areas > SPECK * areas.max())[labels]
    return kept


def find_discs(probability: Array, structures: Sequence[Structure]) -> list[Mask | None]:
    """Return the mask of the disc below each structure but the lowest; None where there is none.

    Args:
        probability: Probability of a disc, shape (H, W).
        structures: Vertebral bodies from the top, and S1 if it was found.
    """
    labels, count = ndimage.label(probability > THRESHOLD)
    centers = ndimage.center_of_mass(labels > 0, labels, range(1, count + 1)) if count else []
    discs: list[Mask | None] = []
    for upper, lower in pairwise(structures):
        middle, gap = np.mean([upper.center, lower.center], axis=0), np.subtract(lower.center, upper.center)
        near = [
            number
            for number, (y, x) in enumerate(centers, start=1)
            if np.hypot(x - middle[0], y - middle[1]) <= NEAR * np.hypot(*gap)
        ]
        discs.append(np.isin(labels, near) if near else None)
    return discs
