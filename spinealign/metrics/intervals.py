"""Confidence intervals for scores of images that are copies of few sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from spinealign.metrics.registry import weighted_scores
from spinealign.metrics.scores import binary_scores, checked

Interval = tuple[float, float]

_WEIGHTS_AT_ONCE = 2_000_000  # draws x images; bounds the memory to some ten times 16 MB


def wilson_interval(share: float, count: float) -> Interval:
    """Return the 95 % score interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927, 209).

    For images that are copies of few sources, pass the number of sources: copies of one slice say little that is new,
    and an interval over images would be far too narrow.

    Args:
        share: Observed share in [0, 1].
        count: Number of independent trials, at least 1; an effective number need not be whole.

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


def effective_number(groups: NDArray[np.intp], members: NDArray[np.bool_]) -> float:
    """Return how many independent images the members are worth where the images of a group say the same.

    This is the design effect of Kish (Survey Sampling, 1965): (sum of sizes)^2 / (sum of squared sizes). Groups of one
    size count fully; one large group among small ones leaves little more than itself.

    Args:
        groups: Number of the group of each image, shape (N,).
        members: The images that count, shape (N,).

    Returns:
        Between 1 and the number of groups; 0 where there is no member.

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
) -> dict[str, Interval | None]:
    """Return a 95 % interval of every score from drawing whole groups, such as sources or patients.

    Groups are drawn with replacement, among those of positives, of negatives and of both apart, so no draw lacks a
    class; the ends are percentiles of the draws. A bootstrap knows only what it has seen: where every image is called
    right, each draw is perfect, and from few groups its intervals are too narrow. So an interval is widened to hold the
    observed score and Wilson's interval with the effective number of groups as trials (`_least_interval`). This takes
    the images of a group for copies that are called alike; where they are not, the interval is wider than it need be.
    (Trials from the spread within groups would be narrower, but near a score of 1 too few groups show it.) The ECE of a
    draw is on average larger than that of its sample, so the interval of the ECE lies high.

    With each image as its own group this is the usual, naive interval over images.

    Args:
        positive: True where the finding is there, shape (N,).
        probability: Its predicted probability, shape (N,).
        groups: The group of each image.
        threshold: Probabilities of at least this much count as a call.
        draws: Number of bootstrap draws.
        seed: Seed of the draws.

    Returns:
        Lower and upper end for each field of `Scores`; None where the score itself is.

    Raises:
        ValueError: If the shapes differ, there is nothing to score, or a probability is not in [0, 1].
    """
    positive, probability = checked(positive, probability)
    if len(groups) != len(positive):
        raise ValueError(f"need one group for each of {len(positive)} images, not {len(groups)}.")
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    observed = binary_scores(positive, probability, threshold=threshold)
    drawn = [
        weighted_scores(positive, probability, weights=counts[:, group], threshold=threshold)
        for counts in _draw_counts(positive, group, draws, np.random.default_rng(seed))
    ]
    trials = _trials(positive, probability >= threshold, group)
    intervals: dict[str, Interval | None] = {}
    for name, value in observed.to_dict().items():
        if value is None:
            intervals[name] = None
            continue
        low, high = np.nanpercentile(np.concatenate([scores[name] for scores in drawn]), (2.5, 97.5))
        least = _least_interval(name, value, trials[name])
        intervals[name] = (float(min(low, value, least[0])), float(max(high, value, least[1])))
    return intervals


def _draw_counts(
    positive: NDArray[np.bool_], group: NDArray[np.intp], draws: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield how often each group is drawn, in parts of shape (some draws, groups)."""
    has_positive, has_negative = (np.bincount(group, weights=members) > 0 for members in (positive, ~positive))
    stratum_of_group = 2 * has_positive + has_negative
    strata = [np.flatnonzero(stratum_of_group == kind) for kind in np.unique(stratum_of_group)]
    at_once = max(1, _WEIGHTS_AT_ONCE // len(positive))
    for start in range(0, draws, at_once):
        counts = np.empty((min(at_once, draws - start), len(stratum_of_group)), np.int64)
        for members in strata:
            drawn = rng.integers(len(members), size=(len(counts), len(members)))
            drawn += len(members) * np.arange(len(counts))[:, None]  # one range of numbers for each draw
            counts[:, members] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        yield counts


def _trials(positive: NDArray[np.bool_], called: NDArray[np.bool_], group: NDArray[np.intp]) -> dict[str, float]:
    """Return the effective number of groups that each score rests on; 0 where the score is not defined."""
    every, positives, negatives = (
        effective_number(group, members) for members in (np.ones_like(positive), positive, ~positive)
    )
    both = 4 / (1 / positives + 1 / negatives) if positives and negatives else 0.0  # of a mean over the two classes
    return {
        **dict.fromkeys(("accuracy", "brier", "ece"), every),
        **dict.fromkeys(("balanced_accuracy", "mcc", "auroc"), both),
        **dict.fromkeys(("sensitivity", "auprc"), positives),
        "specificity": negatives,
        "ppv": effective_number(group, called),
        "npv": effective_number(group, ~called),
        "f1": effective_number(group, called | positive),
    }


def _least_interval(name: str, value: float, trials: float) -> Interval:
    """Return Wilson's interval of a score, read as a share of right trials.

    Accuracy, sensitivity, specificity, PPV and NPV are shares. F1 = 2 q / (1 + q) for the share q of true positives
    among what is positive or called. AUPRC is a mean over the positives of values in [0, 1], read as a share by Boyd,
    Eng and Page (ECML PKDD 2013). For classes of one size the MCC is 2 s - 1 for the share s of right calls, and near 1
    the variance that Hanley and McNeil (Radiology 143, 1982, 29) give the AUROC is that of a balanced accuracy.

    Brier and ECE are no shares but small means, whose spread the bootstrap knows. What it cannot know is a kind of
    group that would be all wrong and did not turn up; Wilson's interval of none in n trials says how common it may be.
    """
    if name in ("brier", "ece"):
        unseen = wilson_interval(0.0, trials)[1]
        return value, value + (1 - value) * unseen
    if name == "mcc":
        low, high = wilson_interval((1 + value) / 2, trials)
        return 2 * low - 1, 2 * high - 1
    if name == "f1":
        low, high = wilson_interval(value / (2 - value), trials)
        return 2 * low / (1 + low), 2 * high / (1 + high)
    return wilson_interval(value, trials)
