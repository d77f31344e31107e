"""Where a classifier should change its mind."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


def sensitivity_offset(
    log_odds: NDArray[np.floating], positive: NDArray[np.bool_], *, sensitivity: float, collections: Sequence[Hashable]
) -> float:
    """Return what to add to the log-odds so that 0 is the highest threshold that still has a wanted sensitivity.

    Args:
        log_odds: Log-odds of the finding, shape (N,).
        positive: True where it is there, shape (N,).
        sensitivity: The wanted sensitivity, above 0 and at most 1; each collection reaches it.
        collections: The collection of each image; each needs a finding.

    Returns:
        The offset. The threshold lies half-way between the last finding that must be called and what comes below it.

    Raises:
        ValueError: If the sensitivity is out of its range.

    Example:
        >>> log_odds, positive = np.array([1.0, 3.0, 5.0, 6.0]), np.array([False, True, True, True])
        >>> sensitivity_offset(log_odds, positive, sensitivity=0.95, collections=["a"] * 4)
        -2.0
    """
    if not 0 < sensitivity <= 1:
        raise ValueError(f"a sensitivity lies above 0 and at most at 1, not {sensitivity}.")
    log_odds, positive = np.asarray(log_odds, float), np.asarray(positive, bool)
    names = np.array([str(name) for name in collections])
    lowest_called = np.inf
    for name in np.unique(names):
        findings = np.sort(log_odds[positive & (names == name)])[::-1]
        needed = int(np.ceil(sensitivity * len(findings) - 1e-9))
        lowest_called = min(lowest_called, float(findings[needed - 1]))
    below = log_odds[log_odds < lowest_called]
    return -(lowest_called + (float(below.max()) if len(below) else lowest_called)) / 2
