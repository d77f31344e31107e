"""The images that a model gets most wrong."""

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
    """Return the images to look at first: wrong calls by their loss, then right calls by how near they were to tipping.

    Args:
        positive: True where the finding is there, shape (N,).
        probability: Its predicted probability in [0, 1], shape (N,).
        sources: The source of each image; copies of one must not fill the list, so it is named at most twice.
        count: How many images to return at most.
        threshold: Probabilities of at least this much count as a call.

    Returns:
        Indices of the images, the worst first.

    Example:
        >>> positive, probability = np.array([True, True, False, False]), np.array([0.9, 0.2, 0.6, 0.3])
        >>> worst_cases(positive, probability, sources="abcd", count=3).tolist()
        [1, 2, 3]
    """
    positive, probability = np.asarray(positive, bool), np.asarray(probability, float)
    right = (probability >= threshold) == positive
    of_truth = np.where(positive, probability, 1 - probability)  # the log loss falls as this rises
    order = np.lexsort((np.where(right, np.abs(probability - threshold), of_truth), right))
    shown: Counter[Hashable] = Counter()
    chosen: list[int] = []
    for index in order.tolist():
        if len(chosen) < count and shown[sources[index]] < COPIES_SHOWN:
            shown[sources[index]] += 1
            chosen.append(index)
    return np.array(chosen, np.intp)
