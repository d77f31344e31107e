"""Worst cases: the images with the largest errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

COPIES_SHOWN = 2


def worst_cases(
    codes: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    *,
    called: NDArray[np.integer],
    margin: NDArray[np.floating],
    sources: Sequence[Hashable],
    count: int = 20,
) -> NDArray[np.intp]:
    """Return the indices of the images to review first: errors by their loss, then correct images by their margin.

    Classes, predicted classes and margins have the shape (N,), probabilities (N, K). A margin says how clear a
    prediction is, such as the distance of a probability from the threshold. At most two images of a source are
    returned.

    Example:
        >>> probability = np.array([0.9, 0.2, 0.6, 0.3])
        >>> both, called = np.stack([1 - probability, probability], axis=1), (probability >= 0.5).astype(int)
        >>> margin = np.abs(probability - 0.5)
        >>> worst_cases(np.array([1, 1, 0, 0]), both, called=called, margin=margin, sources="abcd", count=3).tolist()
        [1, 2, 3]
    """
    codes, called = np.asarray(codes), np.asarray(called)
    of_truth = np.asarray(probabilities)[np.arange(len(codes)), codes]  # the loss decreases with it
    right = called == codes
    order = np.lexsort((np.where(right, margin, of_truth), right))
    shown: Counter[Hashable] = Counter()
    chosen: list[int] = []
    for index in order.tolist():
        if len(chosen) < count and shown[sources[index]] < COPIES_SHOWN:
            shown[sources[index]] += 1
            chosen.append(index)
    return np.array(chosen, np.intp)
