"""Confidence intervals of scores for images that are copies of few sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from spinealign.metrics.registry import METRICS, Interval, WeightedPredictions, weighted_scores

Intervals = dict[str, Interval | None]

_WEIGHTS_AT_ONCE = 2_000_000  # draws x images; limits the memory to about ten times 16 MB


def wilson_interval(share: float, count: float) -> Interval:
    """Return the 95 % score interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927, 209).

    For images that are copies of few sources, pass the number of sources: copies add little information, and an
    interval over images would be far too narrow.

    Args:
        share: Observed share in [0, 1].
        count: Number of independent trials, at least 1; an effective number may be fractional.

    Returns:
        Lower and upper end, in [0, 1].

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> [round(end, 3) for end in wilson_interval(1.0, 20)]
        [0.839, 1.0]
    """
    if count < 1 or not 0 <= share <= 1:
        raise ValueError(f"Expected a share in [0, 1] of at least one trial, got {share} of {count}.")
    z = 1.959963984540054
    center = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, center - spread), min(1.0, center + spread)


def unseen_share(count: float) -> float:
    """Return the 95 % upper bound of the share of a kind of trial that did not occur in `count` trials.

    This is the one-sided bound of Clopper and Pearson (Biometrika 26, 1934, 404) for 0 events, about 3 / `count`
    (the rule of three: Hanley and Lippman-Hand, JAMA 249, 1983, 1743).

    Example:
        >>> round(unseen_share(20), 3)
        0.139
    """
    return float(1 - 0.05 ** (1 / count))


def effective_number(groups: NDArray[np.intp], members: NDArray[np.bool_]) -> float:
    """Return the effective number of independent images if all images of a group are equal.

    This is the number of groups divided by the design effect of Kish (Survey Sampling, 1965):
    (sum of sizes)^2 / (sum of squared sizes). Groups of equal size count fully; one large group among small ones
    counts for little more than one.

    Args:
        groups: Number of the group of each image, shape (N,).
        members: The images that count, shape (N,).

    Returns:
        A number from 1 to the number of groups; 0 without members.

    Example:
        >>> effective_number(np.array([0, 0, 1, 1, 2, 2]), np.ones(6, bool))
        3.0
    """
    sizes = np.bincount(groups[members]).astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


def cluster_bootstrap(
    positive: NDArray[np.bool_],
    probability: NDArray[np.floating],
    *,
    groups: Sequence[str | int],
    threshold: float = 0.5,
    draws: int = 1000,
    seed: int = 0,
) -> Intervals:
    """Return a bootstrap 95 % interval of every score that draws whole groups, such as sources or patients.

    Groups are drawn with replacement, separately among those of positives, of negatives and of both, so every draw has
    both classes; the ends are percentiles of the draws. With each image as its own group, this is the usual, naive
    interval over images.

    A bootstrap cannot show errors that did not occur, and from few groups its intervals are too narrow. The interval of
    a share (accuracy, sensitivity, specificity, PPV, NPV) therefore includes Wilson's interval with the effective
    number of groups as trials. That of another score reaches at least `unseen_share` of the way to each limit of the
    score, because a kind of group that did not occur may be entirely wrong. The trials are the effective numbers of
    groups of both classes, n = 4 / (1 / positives + 1 / negatives), and for AUROC and AUPRC those of the rarer class.
    This matters for few groups and scores near a limit, which the plain bootstrap covers too rarely
    (`benchmarks/interval_coverage.py`).

    The ECE of a draw is on average larger than that of the sample, so its interval is shifted upwards; every interval
    is extended to include the observed score.

    Args:
        positive: Whether each image shows the finding, shape (N,).
        probability: Predicted probability of the finding, shape (N,).
        groups: Group of each image.
        threshold: Smallest probability that is classified as positive.
        draws: Number of bootstrap draws.
        seed: Seed of the draws.

    Returns:
        Lower and upper end for each metric; None if the score is undefined.

    Raises:
        ValueError: If the shapes differ, there are no images, or a probability is not in [0, 1].
    """
    sample = WeightedPredictions(positive, probability, threshold=threshold)
    positive, probability = sample.positive, sample.probability
    if len(groups) != len(positive):
        raise ValueError(f"Expected one group for each of {len(positive)} images, got {len(groups)}.")
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    drawn = [
        weighted_scores(WeightedPredictions(positive, probability, weights=counts[:, group], threshold=threshold))
        for counts in _draw_counts(positive, group, draws, np.random.default_rng(seed))
    ]
    counts = np.array([effective_number(group, positive == kind) for kind in np.unique(positive)])
    unseen, unseen_of_rarer = unseen_share(len(counts) ** 2 / (1 / counts).sum()), unseen_share(counts.min())
    intervals: Intervals = {}
    for name, (value,) in weighted_scores(sample).items():
        intervals[name] = None
        if np.isfinite(value):
            metric = METRICS[name]
            low, high = np.nanpercentile(np.concatenate([scores[name] for scores in drawn]), (2.5, 97.5))
            if metric.trials:
                least, most = wilson_interval(value, effective_number(group, metric.trials(sample)))
            else:
                share = unseen_of_rarer if metric.compares_classes else unseen
                least, most = (value + share * (end - value) for end in metric.limits)
            intervals[name] = (float(min(low, value, least)), float(max(high, value, most)))
    return intervals


def _draw_counts(
    positive: NDArray[np.bool_], group: NDArray[np.intp], draws: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield how often each group is drawn, in chunks of shape (draws of the chunk, groups)."""
    has_positive, has_negative = (np.bincount(group, weights=members) > 0 for members in (positive, ~positive))
    stratum_of_group = 2 * has_positive + has_negative
    strata = [np.flatnonzero(stratum_of_group == kind) for kind in np.unique(stratum_of_group)]
    at_once = max(1, _WEIGHTS_AT_ONCE // len(positive))
    for start in range(0, draws, at_once):
        counts = np.empty((min(at_once, draws - start), len(stratum_of_group)), np.int64)
        for members in strata:
            drawn = rng.integers(len(members), size=(len(counts), len(members)))
            drawn += len(members) * np.arange(len(counts))[:, None]  # a separate range of numbers for each draw
            counts[:, members] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        yield counts
