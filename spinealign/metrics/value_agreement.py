"""Agreement of measured values with reference values, with intervals over patients.

Scores are computed for many weightings of the values at once, of shape (D, N), as a bootstrap draws them; see
`spinealign.metrics.agreement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.metrics.agreement import Estimate, angle_errors, estimate, weighted_mean, weighted_quantile
from spinealign.metrics.intervals import effective_number, wilson_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A share or a mean over patients.

    Attributes:
        name: Name of the figure.
        part: Set of images, such as a collection or a sequence.
        estimate: Value with its interval.
        count: Number of images, bodies or series behind it.
        patients: Number of their patients.
    """

    name: str
    part: str
    estimate: Estimate
    count: int
    patients: int


@dataclass(frozen=True)
class ValueAgreement:
    """How well the values of one kind of measure agree with their reference.

    Attributes:
        name: Kind of the measure, such as `slip_mm`.
        unit: Unit of the values.
        part: Set of images.
        patients: Number of patients.
        scores: Scores by name; see `value_errors`. With intervals of the values, also `coverage` and `interval_width`.
        pairs: Measured value and reference.
    """

    name: str
    unit: str
    part: str
    patients: int
    scores: dict[str, Estimate]
    pairs: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class SagittalEvaluation:
    """Figures and measures of a model for sagittal slices.

    Attributes:
        figures: Outlines and levels.
        measures: Agreement of each kind of measure in each set of images.
    """

    figures: tuple[Figure, ...] = ()
    measures: tuple[ValueAgreement, ...] = ()

    def figure(self, name: str, part: str) -> Figure | None:
        """Return a figure; None if it was not measured."""
        return next((item for item in self.figures if (item.name, item.part) == (name, part)), None)

    def measure(self, name: str, part: str) -> ValueAgreement | None:
        """Return the agreement of a kind of measure in a set of images; None if it was not measured."""
        return next((item for item in self.measures if (item.name, item.part) == (name, part)), None)


def value_errors(
    measured: Floats, reference: Floats, *, levels: NDArray[np.integer], weights: Floats
) -> dict[str, Floats]:
    """Return how far values of shape (N,) are from their reference, for weightings of shape (D, N).

    Returns:
        `mean_error` and `p95_error` of absolute differences; `bias`, `lower_limit` and `upper_limit` of
        `angle_errors`; `correlation` (Pearson); `deviation`, the standard deviation of the reference; and
        `level_error`, the mean absolute error if the mean of its level is taken for each value.
    """
    difference = measured - reference
    of_reference, of_measured = (values - weighted_mean(values, weights)[:, None] for values in (reference, measured))
    total = weights.sum(axis=1)
    variances = [(weights * values**2).sum(axis=1) / total for values in (of_reference, of_measured)]
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = (weights * of_reference * of_measured).sum(axis=1) / total / np.sqrt(variances[0] * variances[1])
        belongs = (levels[:, None] == np.unique(levels)).astype(np.float64)
        means = (weights * reference) @ belongs / (weights @ belongs)
    of_level = np.nan_to_num(means) @ belongs.T
    errors = angle_errors(measured, reference, weights=weights)
    return {
        **{name: errors[name] for name in ("mean_error", "bias", "lower_limit", "upper_limit")},
        "p95_error": weighted_quantile(np.abs(difference), weights, share=0.95),
        "correlation": correlation,
        "deviation": np.sqrt(variances[0]),
        "level_error": (weights * np.abs(reference - of_level)).sum(axis=1) / total,
    }


def share_figure(name: str, part: str, *, hits: Sequence[bool], patients: Sequence[str]) -> Figure | None:
    """Return a share with Wilson's interval, whose trials are the effective number of patients; None without trials."""
    if not len(hits):
        return None
    share = float(np.mean(hits))
    group = np.unique(np.asarray(patients), return_inverse=True)[1]
    trials = effective_number(group, np.ones(len(group), bool))
    return Figure(name, part, Estimate(share, *wilson_interval(share, trials)), len(hits), int(group.max()) + 1)


def mean_figure(name: str, part: str, *, values: Sequence[float], patients: Sequence[str]) -> Figure | None:
    """Return the mean over patients of their mean values, with a bootstrap interval; None without values."""
    if not len(values):
        return None
    names, group = np.unique(np.asarray(patients), return_inverse=True)
    means = np.bincount(group, weights=values) / np.bincount(group)
    found = estimate(lambda weights: {name: weighted_mean(means, weights)}, names.tolist())[name]
    return Figure(name, part, found, len(values), len(names))
