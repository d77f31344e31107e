"""Confidence intervals of scores for images that are copies of few sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from spinealign.metrics.registry import METRICS, Interval, Scale, Trials, weighted_scores
from spinealign.metrics.scores import binary_scores, checked

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
    both classes; the ends are percentiles of the draws. A bootstrap cannot show errors that did not occur: if every
    image is classified correctly, every draw is perfect, and from few groups its intervals are too narrow. Each
    interval is therefore widened to include the observed score and Wilson's interval with the effective number of
    groups as trials (`_least_interval`). This assumes that all images of a group are classified alike; if they are
    not, the interval is wider than necessary. An estimate from the spread within groups would be narrower, but near a
    score of 1 too few groups show a spread. The ECE of a draw is on average larger than that of the sample, so the
    interval of the ECE is shifted upwards.

    With each image as its own group, this is the usual, naive interval over images.

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
    positive, probability = checked(positive, probability)
    if len(groups) != len(positive):
        raise ValueError(f"Expected one group for each of {len(positive)} images, got {len(groups)}.")
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    observed = binary_scores(positive, probability, threshold=threshold)
    drawn = [
        weighted_scores(positive, probability, weights=counts[:, group], threshold=threshold)
        for counts in _draw_counts(positive, group, draws, np.random.default_rng(seed))
    ]
    trials = _trials(positive, probability >= threshold, group)
    intervals: Intervals = {}
    for name, value in observed.items():
        if value is None:
            intervals[name] = None
            continue
        low, high = np.nanpercentile(np.concatenate([scores[name] for scores in drawn]), (2.5, 97.5))
        least = _least_interval(METRICS[name].scale, value, trials[METRICS[name].trials])
        intervals[name] = (float(min(low, value, least[0])), float(max(high, value, least[1])))
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


def _trials(positive: NDArray[np.bool_], called: NDArray[np.bool_], group: NDArray[np.intp]) -> dict[Trials, float]:
    """Return the effective number of groups for each kind of trials; 0 if there are none."""
    members: dict[Trials, NDArray[np.bool_]] = {
        "images": np.ones_like(positive),
        "positives": positive,
        "negatives": ~positive,
        "predicted positives": called,
        "predicted negatives": ~called,
        "positives or predicted positives": called | positive,
    }
    trials = {kind: effective_number(group, images) for kind, images in members.items()}
    positives, negatives = trials["positives"], trials["negatives"]
    # Trials of a mean over the two classes.
    trials["both classes"] = 4 / (1 / positives + 1 / negatives) if positives and negatives else 0.0
    return trials


def _least_interval(scale: Scale, value: float, trials: float) -> Interval:
    """Return Wilson's interval of a score, read as a share of correct trials.

    Accuracy, sensitivity, specificity, PPV and NPV are shares. F1 = 2 q / (1 + q) for the share q of true positives
    among images that are positive or classified as positive. AUPRC is a mean over the positives of values in [0, 1],
    which Boyd, Eng and Page (ECML PKDD 2013) treat as a share. For classes of equal size, the MCC is 2 s - 1 for the
    share s of correct trials, and near 1 the variance of the AUROC by Hanley and McNeil (Radiology 143, 1982, 29)
    equals that of a balanced accuracy.

    Errors (Brier score, ECE) are not shares but small means, whose spread the bootstrap shows. It cannot show a kind of
    group that is entirely wrong and not in the sample; the upper end of Wilson's interval for 0 in n trials limits how
    common it may be. Other scores keep the interval of the bootstrap.
    """
    if scale == "other":
        return value, value
    if scale == "error":
        unseen = wilson_interval(0.0, trials)[1]
        return value, value + (1 - value) * unseen
    if scale == "correlation":
        low, high = wilson_interval((1 + value) / 2, trials)
        return 2 * low - 1, 2 * high - 1
    if scale == "f1":
        low, high = wilson_interval(value / (2 - value), trials)
        return 2 * low / (1 + low), 2 * high / (1 + high)
    return wilson_interval(value, trials)
