"""Calibration of probabilities and choice of the operating point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import require

MIN_SOURCES = 20  # of each class; fewer cannot distinguish a sensitivity of 95 % from 100 %
TEMPERATURE_RANGE = (1e-3, 1e3)  # search range, in multiples of the mean absolute log-odds


def source_weights(sources: Sequence[Hashable]) -> NDArray[np.float64]:
    """Return a weight for each image that gives every source the same total weight.

    Example:
        >>> source_weights(["a", "a", "b"]).tolist()
        [0.5, 0.5, 1.0]
    """
    counts = Counter(sources)
    return np.array([1 / counts[source] for source in sources])


def enough_sources(positive: NDArray[np.bool_], sources: Sequence[Hashable]) -> bool:
    """Return whether both classes have at least `MIN_SOURCES` distinct sources, from labels of shape (N,)."""
    distinct = Counter(truth for truth, _ in {(bool(truth), source) for truth, source in zip(positive, sources)})
    return min(distinct[True], distinct[False]) >= MIN_SOURCES


def fit_temperature(
    log_odds: NDArray[np.floating], positive: NDArray[np.bool_], *, weights: NDArray[np.floating] | None = None
) -> float | None:
    """Fit the temperature that calibrates log-odds by division (Guo et al., ICML 2017).

    Args:
        log_odds: Log-odds of the finding, shape (N,).
        positive: Whether each image shows the finding, shape (N,).
        weights: Weight of each image, shape (N,); None weights all images equally.

    Returns:
        The temperature with the smallest cross entropy; None if there is no minimum, because the classes are separated
        without error, or no better than by chance.

    Raises:
        MissingDependencyError: If SciPy is not installed.
    """
    require("scipy", extra="evaluate")
    from scipy.optimize import minimize_scalar

    signed = np.where(positive, 1.0, -1.0) * np.asarray(log_odds, float)
    shares = np.full(len(signed), 1 / len(signed)) if weights is None else weights / weights.sum()
    if (signed > 0).all() or (shares * signed).sum() <= 0:  # the minimum is at zero or at infinity
        return None
    scale = float(np.abs(signed).mean())

    def cross_entropy(log_temperature: float) -> float:
        return float((shares * np.logaddexp(0.0, -signed / np.exp(log_temperature))).sum())

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
