"""Confidence intervals for shares."""

from __future__ import annotations

from math import sqrt


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927, 209).

    For images that are copies of few sources, pass the number of sources: copies of one slice say little that is new,
    and an interval over images would be far too narrow.

    Args:
        share: Observed share in [0, 1].
        count: Number of independent trials, at least 1.

    Returns:
        Lower and upper end, in [0, 1].

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> [round(end, 3) for end in wilson_interval(1.0, 20)]
        [0.839, 1.0]
    """
    if count < 1 or not 0 <= share <= 1:
        raise ValueError(f"need a share in [0, 1] of at least one trial, not {share} of {count}.")
    z = 1.959963984540054
    center = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, center - spread), min(1.0, center + spread)
