"""Calibration of probabilities and choice of the operating point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import require

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


def enough_sources(codes: NDArray[np.integer], sources: Sequence[Hashable]) -> bool:
    """Return whether at least two classes have `MIN_SOURCES` distinct sources each, from classes of shape (N,)."""
    distinct = Counter(code for code, _ in {(int(code), source) for code, source in zip(codes, sources)})
    return sum(count >= MIN_SOURCES for count in distinct.values()) > 1


def fit_temperature(
    logits: NDArray[np.floating], codes: NDArray[np.integer], *, weights: NDArray[np.floating] | None = None
) -> float | None:
    """Fit the temperature that calibrates logits by division (Guo et al., ICML 2017).

    Args:
        logits: Logits of the classes, shape (N, K).
        codes: True class of each image, shape (N,).
        weights: Weight of each image, shape (N,); None weights all images equally.

    Returns:
        The temperature with the smallest cross entropy; None if there is no minimum, because the classes are separated
        without error, or no better than by chance.

    Raises:
        MissingDependencyError: If SciPy is not installed.
    """
    require("scipy", extra="evaluate")
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

    Args:
        probability: Probability of the finding, shape (N,).
        positive: Whether each image shows the finding, shape (N,); at least one does.
        sensitivity: Sensitivity to reach, above 0 and at most 1.
        weights: Weight of each image, shape (N,); None weights all images equally.

    Returns:
        The midpoint between the lowest probability that must be classified as positive and the next lower one.

    Raises:
        ValueError: If the sensitivity is out of range or there are no positives.

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
