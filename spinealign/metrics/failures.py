"""Worst cases: the images with the largest errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

COPIES_SHOWN = 2


def worst_cases(
    positive: NDArray[np.bool_],
    probability: NDArray[np.floating],
    *,
    sources: Sequence[Hashable],
    count: int = 20,
    threshold: float = 0.5,
) -> NDArray[np.intp]:
    """Return the images to review first: errors by their loss, then correct images by their distance to the threshold.

    Args:
        positive: Whether each image shows the finding, shape (N,).
        probability: Predicted probability of the finding in [0, 1], shape (N,).
        sources: Source of each image; at most two images of a source are returned.
        count: Largest number of images to return.
        threshold: Smallest probability that is classified as positive.

    Returns:
        Indices of the images, worst first.

    Example:
        >>> positive, probability = np.array([True, True, False, False]), np.array([0.9, 0.2, 0.6, 0.3])
        >>> worst_cases(positive, probability, sources="abcd", count=3).tolist()
        [1, 2, 3]
    """
    positive, probability = np.asarray(positive, bool), np.asarray(probability, float)
    right = (probability >= threshold) == positive
    of_truth = np.where(positive, probability, 1 - probability)  # the log loss decreases with it
    order = np.lexsort((np.where(right, np.abs(probability - threshold), of_truth), right))
    shown: Counter[Hashable] = Counter()
    chosen: list[int] = []
    for index in order.tolist():
        if len(chosen) < count and shown[sources[index]] < COPIES_SHOWN:
            shown[sources[index]] += 1
            chosen.append(index)
    return np.array(chosen, np.intp)
