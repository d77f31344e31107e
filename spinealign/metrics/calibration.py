"""Make probabilities mean what they say, and choose where a slice is called a finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import require

MIN_SOURCES = 20  # of each class: fewer cannot tell a sensitivity of 95 % from one of 100 %
TEMPERATURE_RANGE = (1e-3, 1e3)  # that is searched, as multiples of the mean log-odds


def source_weights(sources: Sequence[Hashable]) -> NDArray[np.float64]:
    """Return a weight for each image by which every source counts alike, however many copies it has.

    Example:
        >>> source_weights(["a", "a", "b"]).tolist()
        [0.5, 0.5, 1.0]
    """
    counts = Counter(sources)
    return np.array([1 / counts[source] for source in sources])


def enough_sources(positive: NDArray[np.bool_], sources: Sequence[Hashable]) -> bool:
    """Tell whether both classes have `MIN_SOURCES` distinct sources.

    Args:
        positive: True where the finding is there, shape (N,).
        sources: The source of each image.
    """
    distinct = Counter(truth for truth, _ in {(bool(truth), source) for truth, source in zip(positive, sources)})
    return min(distinct[True], distinct[False]) >= MIN_SOURCES


def fit_temperature(
    log_odds: NDArray[np.floating], positive: NDArray[np.bool_], *, weights: NDArray[np.floating] | None = None
) -> float | None:
    """Return what the log-odds are to be divided by so that probabilities fit (Guo et al., ICML 2017).

    Args:
        log_odds: Log-odds of the finding, shape (N,).
        positive: True where it is there, shape (N,).
        weights: Weight of each image, shape (N,); all alike where None.

    Returns:
        The temperature with the smallest cross entropy. None where no temperature has it, because the two classes are
        told apart without an error, or no better than by chance.

    Raises:
        MissingDependencyError: If SciPy is not installed.
    """
    require("scipy", extra="train")
    from scipy.optimize import minimize_scalar

    signed = np.where(positive, 1.0, -1.0) * np.asarray(log_odds, float)
    shares = np.full(len(signed), 1 / len(signed)) if weights is None else weights / weights.sum()
    if (signed > 0).all() or (shares * signed).sum() <= 0:  # the best temperature is zero, or has no end
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
    """Return a threshold that has a wanted sensitivity and calls as little else as that allows.

    Args:
        probability: Probability of the finding, shape (N,).
        positive: True where it is there, shape (N,); at least once.
        sensitivity: The wanted sensitivity, above 0 and at most 1.
        weights: Weight of each image, shape (N,); all alike where None.

    Returns:
        The threshold, half-way between the last finding that must be called and what comes below it.

    Raises:
        ValueError: If the sensitivity is out of its range or there is no finding.

    Example:
        >>> probability, positive = np.array([0.1, 0.3, 0.5, 0.9]), np.array([False, True, True, True])
        >>> operating_point(probability, positive, sensitivity=0.95)
        0.2
    """
    positive = np.asarray(positive, bool)
    if not 0 < sensitivity <= 1 or not positive.any():
        raise ValueError(f"need a finding and a sensitivity above 0 and at most 1, not {sensitivity}.")
    weights = np.ones(len(positive)) if weights is None else weights
    order = np.argsort(-probability[positive], kind="stable")
    reached = np.cumsum(weights[positive][order]) / weights[positive].sum()
    last = int(np.searchsorted(reached, sensitivity - 1e-9))
    lowest_called = float(probability[positive][order][last])
    below = probability[probability < lowest_called]
    return (lowest_called + (float(below.max()) if len(below) else 0.0)) / 2
