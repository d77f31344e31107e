"""Scores of a binary classifier."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from spinealign.metrics.registry import WeightedPredictions, weighted_scores

SIZE_EDGES_MM = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, inf)

Scores = dict[str, float | None]


@dataclass(frozen=True)
class Confusion:
    """Numbers of true positives, false positives, true negatives and false negatives."""

    tp: int
    fp: int
    tn: int
    fn: int


def binary_scores(positive: NDArray[np.bool_], probability: NDArray[np.floating], *, threshold: float = 0.5) -> Scores:
    """Compute every score of the registry.

    Args:
        positive: Whether each image shows the finding, shape (N,).
        probability: Predicted probability of the finding in [0, 1], shape (N,).
        threshold: Smallest probability that is classified as positive.

    Returns:
        The scores by name; None if a score is undefined.

    Raises:
        ValueError: If the shapes differ, there are no images, or a probability is not in [0, 1].

    Example:
        >>> binary_scores(np.array([True, True, False]), np.array([0.9, 0.2, 0.1]))["sensitivity"]
        0.5
    """
    scored = weighted_scores(WeightedPredictions(positive, probability, threshold=threshold))
    return {name: float(value) if np.isfinite(value) else None for name, (value,) in scored.items()}


@dataclass(frozen=True)
class SizeBin:
    """Sensitivity for findings in one range of sizes.

    Attributes:
        from_mm: Smallest size, inclusive.
        to_mm: Largest size, exclusive; None if the bin is unbounded.
        count: Number of findings.
        sensitivity: Share of the findings that were detected, in [0, 1].
    """

    from_mm: float
    to_mm: float | None
    count: int
    sensitivity: float


def sensitivity_by_size(size_mm: NDArray[np.floating], called: NDArray[np.bool_]) -> tuple[SizeBin, ...]:
    """Return the sensitivity in bins of one millimeter, the last one from 8 mm on; empty bins are left out.

    Args:
        size_mm: Size of each finding, NaN if unknown, shape (N,).
        called: Whether each finding was detected, shape (N,).
    """
    bins = []
    for low, high in pairwise(SIZE_EDGES_MM):
        inside = (size_mm >= low) & (size_mm < high)
        if inside.any():
            bins.append(SizeBin(low, high if isfinite(high) else None, int(inside.sum()), float(called[inside].mean())))
    return tuple(bins)
