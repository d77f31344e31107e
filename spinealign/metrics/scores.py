"""Scores of a binary classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.metrics.registry import METRICS, weighted_scores

Scores = dict[str, float | None]


@dataclass(frozen=True)
class Confusion:
    """Counts of images.

    Attributes:
        tp: True positives.
        fp: False positives.
        tn: True negatives.
        fn: False negatives.
    """

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
    positive, probability = checked(positive, probability)
    scored = weighted_scores(positive, probability, weights=np.ones((1, len(positive))), threshold=threshold)
    return {name: float(value) if np.isfinite(value) else None for name, (value,) in scored.items()}


def confusion_of(positive: NDArray[np.bool_], called: NDArray[np.bool_]) -> Confusion:
    """Count the cells of the confusion matrix; both arrays have shape (N,)."""
    cells = (called & positive, called & ~positive, ~called & ~positive, ~called & positive)
    return Confusion(*(int(cell.sum()) for cell in cells))


def complete_scores(item: Any, *, intervals: Sequence[str]) -> None:
    """Set the metrics that an older file lacks to None, in `scores` and in the attributes named by `intervals`.

    Raises:
        ValueError: If scores and intervals have different names, or lack the accuracy.
    """
    names = item.scores.keys()
    if "accuracy" not in names or any(getattr(item, attribute).keys() != names for attribute in intervals):
        raise ValueError("scores and intervals have different names, or lack the accuracy")
    for attribute in ("scores", *intervals):
        object.__setattr__(item, attribute, {**dict.fromkeys(METRICS), **getattr(item, attribute)})


def checked(
    positive: NDArray[np.bool_], probability: NDArray[np.floating]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return truth and probability as arrays, after checking them.

    Raises:
        ValueError: If the shapes differ, there are no images, or a probability is not in [0, 1].
    """
    truth, share = np.asarray(positive, bool), np.asarray(probability, np.float64)
    if truth.shape != share.shape or truth.ndim != 1 or not len(truth):
        raise ValueError(f"Expected two lists of the same length, got shapes {truth.shape} and {share.shape}.")
    if not ((share >= 0) & (share <= 1)).all():  # NaN fails too
        raise ValueError("Expected probabilities in [0, 1], not logits.")
    return truth, share


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


def sensitivity_by_size(
    size_mm: NDArray[np.floating], called: NDArray[np.bool_], *, edges_mm: tuple[float, ...]
) -> list[SizeBin]:
    """Return the sensitivity as a function of the size of the finding.

    Args:
        size_mm: Size of each finding, shape (N,).
        called: Whether each finding was detected, shape (N,).
        edges_mm: Increasing edges of the bins; the last may be infinite.

    Returns:
        One entry for each bin that is not empty.
    """
    bins = []
    for low, high in pairwise(edges_mm):
        inside = (size_mm >= low) & (size_mm < high)
        if inside.any():
            bins.append(SizeBin(low, high if isfinite(high) else None, int(inside.sum()), float(called[inside].mean())))
    return bins
