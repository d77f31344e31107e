"""Calibration of probabilities and choice of the operating point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from spinealign.labels import MISSING

MIN_SOURCES = 20  # of two classes; fewer cannot distinguish a sensitivity of 95 % from 100 %
TEMPERATURE_RANGE = (1e-3, 1e3)  # search range, in multiples of the mean absolute difference of logits


def source_weights(sources: Sequence[Hashable]) -> NDArray[np.float64]:
    """Return a weight for each image that gives every source the same total weight.

    Example:
        >>> source_weights(["a", "a", "b"]).tolist()
        [0.5, 0.5, 1.0]
    """
    counts = Counter(sources)
    return np.array([1 / counts[source] for source in sources])


def enough_sources(codes: NDArray[np.integer], sources: Sequence[Hashable], *, number: int = MIN_SOURCES) -> bool:
    """Return whether at least two classes have a number of distinct sources each, from classes of shape (N,)."""
    distinct = Counter(code for code, _ in set(zip(codes.tolist(), sources)) if code != MISSING)
    return sum(count >= number for count in distinct.values()) > 1


def fit_temperature(
    logits: NDArray[np.floating], codes: NDArray[np.integer], *, weights: NDArray[np.floating] | None = None
) -> float | None:
    """Fit the temperature that calibrates logits of shape (N, K) by division (Guo et al., ICML 2017).

    The classes and the optional weights of the images have the shape (N,). The result has the smallest cross entropy;
    it is None if no minimum exists: the classes are separated without error, or no better than by chance.
    """
    from scipy.optimize import minimize_scalar

    logits, rows = np.asarray(logits, float), np.arange(len(codes))
    others = np.ones(logits.shape, bool)
    others[rows, codes] = False
    margins = (logits[rows, codes][:, None] - logits)[others].reshape(len(rows), -1)  # of the true class, (N, K - 1)
    shares = np.full(len(rows), 1 / len(rows)) if weights is None else weights / weights.sum()
    if (margins > 0).all() or (shares @ margins).sum() <= 0:  # the minimum is at zero or at infinity
        return None
    scale = float(np.abs(margins).mean())

    def cross_entropy(log_temperature: float) -> float:
        scaled = np.concatenate([np.zeros((len(rows), 1)), -margins / np.exp(log_temperature)], axis=1)
        return float((shares * np.logaddexp.reduce(scaled, axis=1)).sum())

    bounds = tuple(np.log(scale * end) for end in TEMPERATURE_RANGE)
    return float(np.exp(minimize_scalar(cross_entropy, bounds=bounds, method="bounded").x))


def operating_point(
    probability: NDArray[np.floating], positive: NDArray[np.bool_], *, sensitivity: float,
    weights: NDArray[np.floating] | None = None,
) -> float:  # fmt: skip
    """Return the threshold that reaches a sensitivity with the highest specificity.

    It is the midpoint between the lowest probability that must be classified as positive and the next lower one. The
    probabilities of the finding, its presence and the optional weights have the shape (N,).

    Raises:
        ValueError: If the sensitivity is not in (0, 1], or there are no positives.

    Example:
        >>> probability, positive = np.array([0.1, 0.3, 0.5, 0.9]), np.array([False, True, True, True])
        >>> operating_point(probability, positive, sensitivity=0.95)
        0.2
    """
    positive = np.asarray(positive, bool)
    if not 0 < sensitivity <= 1 or not positive.any():
        raise ValueError(f"Expected a finding and a sensitivity above 0 and at most 1, got {sensitivity}.")
    weights = np.ones(len(positive)) if weights is None else weights
    order = np.argsort(-probability[positive], kind="stable")
    reached = np.cumsum(weights[positive][order]) / weights[positive].sum()
    last = int(np.searchsorted(reached, sensitivity - 1e-9))
    lowest_kept = float(probability[positive][order][last])
    below = probability[probability < lowest_kept]
    return (lowest_kept + (float(below.max()) if len(below) else 0.0)) / 2
