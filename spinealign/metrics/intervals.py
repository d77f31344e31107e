"""Confidence intervals of scores for images that are copies of few sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from spinealign.metrics.registry import METRICS, Interval, weighted_scores
from spinealign.metrics.weighted import WeightedPredictions

Intervals = dict[str, Interval | None]

_WEIGHTS_AT_ONCE = 2_000_000  # draws x images; limits the memory to about ten times 16 MB


def wilson_interval(share: float, count: float) -> Interval:
    """Return the 95 % score interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927, 209).

    For images that are copies of few sources, the number of independent trials is that of the sources: copies add
    little information, and an interval over images would be far too narrow. An effective number may be fractional.

    Raises:
        ValueError: If the share is not in [0, 1], or there is less than one trial.

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
    """Return the effective number of independent images if all images of a group are equal; 0 without members.

    This is the number of groups divided by the design effect of Kish (Survey Sampling, 1965):
    (sum of sizes)^2 / (sum of squared sizes). Groups of equal size count fully; one large group among small ones
    counts for little more than one. Groups, and which images count, have the shape (N,).

    Example:
        >>> effective_number(np.array([0, 0, 1, 1, 2, 2]), np.ones(6, bool))
        3.0
    """
    sizes = np.bincount(groups[members]).astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


def cluster_bootstrap(
    predictions: WeightedPredictions, *, groups: Sequence[str | int], draws: int = 1000, seed: int = 0
) -> Intervals:
    """Return a bootstrap 95 % interval of every score that draws whole groups, such as sources or patients.

    Groups are drawn with replacement in strata. With two classes these are the groups of positives, of negatives and
    of both; with more, the groups with the same rarest class. So a class is rarely absent from a draw. The ends are
    percentiles of the draws. With each image as its own group, this is the usual, naive interval over images.

    A bootstrap cannot show errors that did not occur, and from few groups its intervals are too narrow. The interval of
    a share (accuracy, sensitivity, specificity, PPV, NPV, within one grade) therefore includes Wilson's interval with
    the effective number of groups as trials. That of another score reaches at least `unseen_share` of the way to each
    limit of the score, because a kind of group that did not occur may be entirely wrong. The trials are the effective
    numbers of groups of the K classes, n = K^2 / (sum of 1 / groups of a class), and for AUROC and AUPRC those of the
    rarer class; macro scores of more classes take the mean of their bounds. This matters for few groups and scores near
    a limit, which the plain bootstrap covers too rarely (`benchmarks/interval_coverage.py`).

    The ECE of a draw is on average larger than that of the sample, so its interval is shifted upwards; every interval
    is extended to include the observed score. The interval of an undefined score is None.

    Raises:
        ValueError: If there is not one group for each image.
    """
    group = _numbered(predictions, groups)
    stratum = _strata(predictions.codes, group)
    drawn = [
        weighted_scores(predictions.reweighted(counts[:, group]))
        for counts in _draw_counts(stratum, draws, images=len(group), rng=np.random.default_rng(seed))
    ]
    intervals: Intervals = {}
    for name, found in _observed(predictions, group).items():
        intervals[name] = None
        if found is not None:
            value, bounds = found
            ends = np.nanpercentile(np.concatenate([scores[name] for scores in drawn]), (2.5, 97.5))
            intervals[name] = _including(value, bounds, ends)
    return intervals


def bootstrap_of_means(
    parts: Sequence[WeightedPredictions], *, groups: Sequence[Sequence[str | int]], draws: int = 1000, seed: int = 0
) -> Intervals:
    """Return a 95 % interval of the mean of every score over several labels, whose groups have the same names.

    Each draw takes whole groups for all labels together, because findings of one patient are not independent. The
    bounds beyond the bootstrap are the means of those of the labels; see `cluster_bootstrap`.
    """
    names = sorted({name for part in groups for name in part}, key=str)
    number = {name: place for place, name in enumerate(names)}
    of_label = [np.array([number[name] for name in part]) for part in groups]
    observed = [_observed(part, _numbered(part, part_groups)) for part, part_groups in zip(parts, groups)]
    deviations: dict[str, list[NDArray[np.float64]]] = {}
    largest = max(len(part.codes) for part in parts)
    one_stratum, rng = np.zeros(len(names), np.intp), np.random.default_rng(seed)
    for counts in _draw_counts(one_stratum, draws, images=largest, rng=rng):
        drawn: dict[str, list[NDArray[np.float64]]] = {}
        for part, group, values in zip(parts, of_label, observed):
            for name, scores in weighted_scores(part.reweighted(counts[:, group])).items():
                if (found := values[name]) is not None:
                    drawn.setdefault(name, []).append(scores - found[0])
        for name, columns in drawn.items():
            deviations.setdefault(name, []).append(_mean_of_defined(np.array(columns)))
    intervals: Intervals = {name: None for name in METRICS if any(name in part for part in observed)}
    for name, chunks in deviations.items():
        defined = [
            (found[0], *found[1], *METRICS[name].limits_of(part.classes))
            for part, values in zip(parts, observed)
            if (found := values.get(name)) is not None
        ]
        value, low, high, *limits = np.mean(defined, axis=0).tolist()
        ends = np.nanpercentile(np.clip(value + np.concatenate(chunks), *limits), (2.5, 97.5))
        intervals[name] = _including(value, (low, high), ends)
    return intervals


def bootstrap_of(
    statistics: Callable[[NDArray[np.float64]], Mapping[str, NDArray[np.float64]]],
    *,
    groups: Sequence[str | int],
    draws: int = 1000,
    seed: int = 0,
) -> Intervals:
    """Return a bootstrap 95 % interval of any statistics of images, which draws whole groups.

    `statistics` is a function from weights of N images in D draws, shape (D, N), to values of shape (D,) by name. The
    interval of a statistic that no draw defines is None.
    """
    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    one_stratum, rng = np.zeros(group.max() + 1, np.intp), np.random.default_rng(seed)
    drawn = [
        statistics(counts[:, group].astype(np.float64))
        for counts in _draw_counts(one_stratum, draws, images=len(group), rng=rng)
    ]
    intervals: Intervals = {}
    for name in drawn[0]:
        values = np.concatenate([part[name] for part in drawn])
        finite = values[np.isfinite(values)]
        low, high = np.percentile(finite, (2.5, 97.5)) if len(finite) else (np.nan, np.nan)
        intervals[name] = (float(low), float(high)) if len(finite) else None
    return intervals


def _numbered(predictions: WeightedPredictions, groups: Sequence[str | int]) -> NDArray[np.intp]:
    if len(groups) != len(predictions.codes):
        raise ValueError(f"Expected one group for each of {len(predictions.codes)} images, got {len(groups)}.")
    return np.unique(np.asarray(groups), return_inverse=True)[1]


def _observed(predictions: WeightedPredictions, group: NDArray[np.intp]) -> dict[str, tuple[float, Interval] | None]:
    """Return each score with what its interval includes beyond the bootstrap, or None if it is undefined."""
    codes = predictions.codes
    counts = np.array([effective_number(group, codes == code) for code in np.unique(codes)])
    unseen = unseen_share(len(counts) ** 2 / (1 / counts).sum())
    of_classes = [unseen_share(count) for count in counts]
    unseen_in_comparisons = max(of_classes) if predictions.kind == "binary" else float(np.mean(of_classes))
    found: dict[str, tuple[float, Interval] | None] = {}
    for name, (score,) in weighted_scores(predictions).items():
        metric, value = METRICS[name], float(score)
        if not np.isfinite(value):
            found[name] = None
        elif metric.trials:
            found[name] = value, wilson_interval(value, effective_number(group, metric.trials(predictions)))
        else:
            share = unseen_in_comparisons if metric.compares_classes else unseen
            low, high = (value + share * (end - value) for end in metric.limits_of(predictions.classes))
            found[name] = value, (low, high)
    return found


def _including(value: float, bounds: Interval, ends: Iterable[float]) -> Interval:
    """Return the smallest interval that includes a score and two other intervals."""
    low, high = ends
    return float(min(low, value, bounds[0])), float(max(high, value, bounds[1]))


def _mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each column of shape (labels, D) over its finite numbers, NaN without one."""
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    total = np.where(finite, values, 0).sum(axis=0)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def _strata(codes: NDArray[np.int64], group: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the stratum of each group: for two classes the set of its classes, for more its rarest class."""
    classes = np.unique(codes)
    has = np.stack([np.bincount(group, weights=codes == code) > 0 for code in classes], axis=1)
    if len(classes) <= 2:
        return np.asarray(has @ (1 << np.arange(len(classes))), np.intp)
    return np.where(has, has.sum(axis=0), len(has) + 1).argmin(axis=1)


def _draw_counts(
    stratum_of_group: NDArray[np.intp], draws: int, *, images: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield how often each group is drawn, in chunks of shape (draws of the chunk, groups)."""
    strata = [np.flatnonzero(stratum_of_group == kind) for kind in np.unique(stratum_of_group)]
    at_once = max(1, _WEIGHTS_AT_ONCE // images)
    for start in range(0, draws, at_once):
        counts = np.empty((min(at_once, draws - start), len(stratum_of_group)), np.int64)
        for members in strata:
            drawn = rng.integers(len(members), size=(len(counts), len(members)))
            drawn += len(members) * np.arange(len(counts))[:, None]  # a separate range of numbers for each draw
            counts[:, members] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        yield counts
