"""Agreement of measured angles with reference angles, with intervals over groups of films.

Angles are in degrees and have the shape (N,), or (N, 3) for the three angles of the AASCE 2019 challenge. Scores are
computed for many weightings of the films at once, of shape (D, N), as a bootstrap draws them; the result has the shape
(D,). A weight of 2 has the same effect as two copies of a film.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.metrics.intervals import bootstrap_of
from spinealign.metrics.registry import METRICS
from spinealign.metrics.weighted import WeightedPredictions

Floats = NDArray[np.float64]
LARGEST = "aasce_1"  # measure of the main angle, the greatest of the three of the challenge
LARGE_ERROR_DEG = 15.0
OFFICIAL, CLEAN, CROSS_VALIDATED = "official", "clean", "cross-validation"  # sets of films


@dataclass(frozen=True)
class Estimate:
    """A score with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class LargeError:
    """A film whose main angle is far off, without its name.

    Attributes:
        measured: Measured angle in degrees.
        reference: Angle of the reference.
        signs: What the film's numbers say about the reason.
    """

    measured: float
    reference: float
    signs: str


@dataclass(frozen=True)
class Agreement:
    """How well measured angles agree with a reference in one set of films.

    Attributes:
        collection: Name of the collection.
        part: Name of the set, such as `official`.
        films: Number of films.
        groups: Number of groups of films that may show the same radiograph or patient.
        rejected: Number of films that the model does not accept; they are scored too.
        scores: Scores of the whole set by name; undefined ones are left out.
        measures: Scores of each measure, by its name; see `angle_errors`.
        large_errors: Films whose main angle is off by more than `LARGE_ERROR_DEG`, the worst first.
        largest: Measured and reference angle of the main curve, and how much two networks differ in it, for each film.
    """

    collection: str
    part: str
    films: int
    groups: int
    rejected: int
    scores: dict[str, Estimate]
    measures: dict[str, dict[str, Estimate]]
    large_errors: tuple[LargeError, ...] = ()
    largest: tuple[tuple[float, float, float], ...] = ()

    @property
    def title(self) -> str:
        """Name of the set in tables."""
        return f"{self.part}, {self.films:,} films"


def symmetric_error(measured: Floats, reference: Floats, *, weights: Floats) -> Floats:
    """Return the SMAPE of the challenge in percent, for angles of shape (N, 3).

    It is the mean over the films of the sum of absolute differences over the sum of all angles.

    Example:
        >>> symmetric_error(np.array([[30.0, 10.0, 10.0]]), np.array([[20.0, 10.0, 20.0]]), weights=np.ones((1, 1)))
        array([20.])
    """
    difference, total = np.abs(measured - reference).sum(axis=1), (measured + reference).sum(axis=1)
    share = np.divide(difference, total, out=np.zeros_like(total), where=total > 0)
    return 100 * weighted_mean(share, weights)


def circular_error(measured: Floats, reference: Floats, *, weights: Floats) -> Floats:
    """Return the circular mean of the absolute differences in degrees, as the challenge computes it for each angle."""
    difference = np.radians(np.abs(measured - reference))
    return np.degrees(
        np.arctan2(weighted_mean(np.sin(difference), weights), weighted_mean(np.cos(difference), weights))
    )


def angle_errors(measured: Floats, reference: Floats, *, weights: Floats) -> dict[str, Floats]:
    """Return mean and 90th percentile of the absolute error, the bias, and the 95 % limits of agreement.

    The limits are bias - 1.96 SD and bias + 1.96 SD of the differences (Bland and Altman, Lancet 327, 1986, 307).
    """
    difference, count = measured - reference, weights.sum(axis=1)
    bias = weighted_mean(difference, weights)
    variance = np.maximum(weighted_mean(difference**2, weights) - bias**2, 0) * count / np.maximum(count - 1, 1)
    return {
        "mean_error": weighted_mean(np.abs(difference), weights),
        "p90_error": weighted_quantile(np.abs(difference), weights, share=0.9),
        "bias": bias,
        "lower_limit": bias - 1.96 * np.sqrt(variance),
        "upper_limit": bias + 1.96 * np.sqrt(variance),
    }


def class_kappa(measured: Floats, reference: Floats, *, weights: Floats, borders: Sequence[float]) -> Floats:
    """Return the kappa with quadratic weights of classes that begin at each border; NaN for a single true class."""
    called, codes = (np.digitize(angles, borders) for angles in (measured, reference))
    grades = WeightedPredictions("ordinal", codes, np.eye(len(borders) + 1)[called], weights=weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        return METRICS["quadratic_kappa"].function(grades)


def weighted_mean(values: Floats, weights: Floats) -> Floats:
    """Return the mean of values of shape (N,) with each weighting."""
    return weights @ values / weights.sum(axis=1)


def weighted_quantile(values: Floats, weights: Floats, *, share: float) -> Floats:
    """Return the smallest of values of shape (N,) that is not exceeded in at least a share of the films."""
    order = np.argsort(values)
    reached = np.cumsum(weights[:, order], axis=1)
    place = (reached < share * reached[:, -1:] - 1e-9).sum(axis=1)
    return values[order][np.minimum(place, len(values) - 1)]


def estimate(
    statistics: Callable[[Floats], Mapping[str, Floats]], groups: Sequence[str], *, draws: int = 1000, seed: int = 0
) -> dict[str, Estimate]:
    """Return statistics of films with bootstrap intervals that draw whole groups; undefined ones are left out.

    Args:
        statistics: Function from weights of shape (D, N) to values of shape (D,) by name.
        groups: Group of each film.
        draws: Number of draws.
        seed: Seed of the draws.
    """
    observed = statistics(np.ones((1, len(groups))))
    intervals = bootstrap_of(statistics, groups=groups, draws=draws, seed=seed)
    return {
        name: Estimate(float(value), min(float(value), interval[0]), max(float(value), interval[1]))
        for name, (value,) in observed.items()
        if np.isfinite(value) and (interval := intervals[name])
    }
