"""Registry of scores: to add a score, add one entry to `METRICS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15

Interval = tuple[float, float]
Trials = Literal[
    "images",
    "positives",
    "negatives",
    "predicted positives",
    "predicted negatives",
    "positives or predicted positives",
    "both classes",
]
Scale = Literal["share", "error", "correlation", "f1", "other"]
_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WeightedPredictions:
    """Predictions under D weightings of the images; what several scores need is computed once.

    Attributes:
        positive: Whether each image shows the finding, shape (N,).
        probability: Predicted probability of the finding in [0, 1], shape (N,).
        weights: Weights of the images, at least 0, shape (D, N).
        threshold: Smallest probability that is classified as positive.
    """

    positive: NDArray[np.bool_]
    probability: NDArray[np.floating]
    weights: _Floats
    threshold: float

    @cached_property
    def confusion(self) -> _Floats:
        """Weights of true positives, false positives, true negatives and false negatives, shape (4, D)."""
        called, positive = self.probability >= self.threshold, self.positive
        cells = np.stack([called & positive, called & ~positive, ~called & ~positive, ~called & positive], axis=1)
        return (self.weights @ cells.astype(float)).T

    @cached_property
    def ranking(self) -> tuple[_Floats, _Floats]:
        """Weights of positives and of negatives at each distinct probability, highest first, both of shape (D, R)."""
        order = np.argsort(-self.probability, kind="stable")
        first_of_rank = np.flatnonzero(np.diff(self.probability[order], prepend=np.inf))
        sorted_weights = self.weights[:, order]
        at_rank = np.add.reduceat(sorted_weights, first_of_rank, axis=1)
        positives = np.add.reduceat(sorted_weights * self.positive[order], first_of_rank, axis=1)
        return positives, at_rank - positives

    @property
    def total(self) -> _Floats:
        """Sum of the weights, shape (D,)."""
        return self.weights.sum(axis=1)

    @property
    def tp(self) -> _Floats:
        """True positives, shape (D,)."""
        return self.confusion[0]

    @property
    def fp(self) -> _Floats:
        """False positives, shape (D,)."""
        return self.confusion[1]

    @property
    def tn(self) -> _Floats:
        """True negatives, shape (D,)."""
        return self.confusion[2]

    @property
    def fn(self) -> _Floats:
        """False negatives, shape (D,)."""
        return self.confusion[3]

    @property
    def sensitivity(self) -> _Floats:
        """True positives among positives, shape (D,)."""
        return self.tp / (self.tp + self.fn)

    @property
    def specificity(self) -> _Floats:
        """True negatives among negatives, shape (D,)."""
        return self.tn / (self.tn + self.fp)


@dataclass(frozen=True)
class Metric:
    """One score of a binary classifier.

    Attributes:
        name: Key of the score in results and files.
        title: Name of the score in tables and figures.
        function: Computes the score of each weighting, shape (D,); NaN where the score is undefined.
        trials: The images that the score is a mean over; their groups are the trials of its interval.
        scale: Kind of score, which decides its smallest interval: `share` (of trials), `f1`, `correlation` (in
            [-1, 1]), `error` (lower is better), or `other` (only the bootstrap).
        number_format: How the score is printed.
        hub_name: Name of the metric in the `model-index` of the Hub, if it differs from `name`.
        needs_probability: Whether the score is undefined for class labels without probabilities.
        in_summary: Whether one-line summaries show the score.
    """

    name: str
    title: str
    function: Callable[[WeightedPredictions], _Floats]
    trials: Trials = "images"
    scale: Scale = "share"
    number_format: Literal["percent", "decimal"] = "decimal"
    hub_name: str = ""
    needs_probability: bool = False
    in_summary: bool = False


def calibration_bin(probability: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the number of the equal-width bin, 0 to 14, of each probability; 1.0 is in the last bin."""
    return np.minimum((np.asarray(probability) * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)


def _mcc(p: WeightedPredictions) -> _Floats:
    margins = (p.tp + p.fp) * (p.tp + p.fn) * (p.tn + p.fp) * (p.tn + p.fn)
    return (p.tp * p.tn - p.fp * p.fn) / np.sqrt(margins)


def _auroc(p: WeightedPredictions) -> _Floats:
    """Return the area under the ROC curve; ties count half."""
    positives, negatives = p.ranking
    above = np.cumsum(positives, axis=1)
    pairs_won = (negatives * (above - positives / 2)).sum(axis=1)
    negatives_in_all = np.cumsum(positives + negatives, axis=1)[:, -1] - above[:, -1]
    return pairs_won / (above[:, -1] * negatives_in_all)


def _auprc(p: WeightedPredictions) -> _Floats:
    """Return the average precision, NaN without negatives."""
    positives, negatives = p.ranking
    found, called = np.cumsum(positives, axis=1), np.cumsum(positives + negatives, axis=1)
    precision = np.divide(found, called, out=np.zeros_like(called), where=called > 0)
    average_precision = (positives * precision).sum(axis=1) / found[:, -1]
    return np.where(called[:, -1] > found[:, -1], average_precision, np.nan)


def _ece(p: WeightedPredictions) -> _Floats:
    """Return the expected calibration error over bins of equal width (Guo et al., ICML 2017)."""
    gap_of_bin = np.zeros((len(p.positive), CALIBRATION_BINS))
    gap_of_bin[np.arange(len(p.positive)), calibration_bin(p.probability)] = p.probability - p.positive
    return np.abs(p.weights @ gap_of_bin).sum(axis=1) / p.total


_ENTRIES: Sequence[Metric] = (
    Metric(
        "accuracy", "accuracy", lambda p: (p.tp + p.tn) / (p.tp + p.fp + p.tn + p.fn),
        number_format="percent", in_summary=True,
    ),
    Metric(
        "sensitivity", "sensitivity", lambda p: p.sensitivity,
        trials="positives", number_format="percent", hub_name="recall", in_summary=True,
    ),
    Metric(
        "specificity", "specificity", lambda p: p.specificity,
        trials="negatives", number_format="percent", in_summary=True,
    ),
    Metric(
        "ppv", "PPV", lambda p: p.tp / (p.tp + p.fp),
        trials="predicted positives", number_format="percent", hub_name="precision",
    ),
    Metric(
        "npv", "NPV", lambda p: p.tn / (p.tn + p.fn),
        trials="predicted negatives", number_format="percent",
    ),
    Metric(
        "f1", "F1", lambda p: 2 * p.tp / (2 * p.tp + p.fp + p.fn),
        trials="positives or predicted positives", scale="f1",
    ),
    Metric(
        "balanced_accuracy", "balanced accuracy", lambda p: (p.sensitivity + p.specificity) / 2,
        trials="both classes", number_format="percent",
    ),
    Metric("mcc", "MCC", _mcc, trials="both classes", scale="correlation", hub_name="matthews_correlation"),
    Metric(
        "auroc", "AUROC", _auroc,
        trials="both classes", hub_name="roc_auc", needs_probability=True, in_summary=True,
    ),
    Metric("auprc", "AUPRC", _auprc, trials="positives", hub_name="average_precision", needs_probability=True),
    Metric(
        "brier", "Brier", lambda p: p.weights @ (p.probability - p.positive) ** 2 / p.total,
        scale="error", hub_name="brier_score", needs_probability=True,
    ),
    Metric("ece", "ECE", _ece, scale="error", hub_name="expected_calibration_error", needs_probability=True),
)  # fmt: skip
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ENTRIES}


def weighted_scores(
    positive: NDArray[np.bool_], probability: NDArray[np.floating], *, weights: NDArray[Any], threshold: float
) -> dict[str, _Floats]:
    """Compute every score under several weightings of the same images.

    A weight of 3 has the same effect as three copies of the image. One bootstrap draw is one row of weights, so a
    thousand draws cost one sort and a few matrix products. The values equal those of scikit-learn with `sample_weight`.

    Args:
        positive: Whether each image shows the finding, shape (N,).
        probability: Predicted probability of the finding in [0, 1], shape (N,).
        weights: Weights of the images, at least 0, shape (D, N).
        threshold: Smallest probability that is classified as positive.

    Returns:
        One array of shape (D,) for each metric, NaN where a weighting does not define the score.
    """
    predictions = WeightedPredictions(positive, probability, np.asarray(weights, np.float64), threshold)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: metric.function(predictions) for name, metric in METRICS.items()}


def score_title(name: str) -> str:
    """Return the title of a score; a score that the registry lacks is titled by its name."""
    return METRICS[name].title if name in METRICS else name


def hub_name(name: str) -> str:
    """Return the name of a score in the `model-index` of the Hub."""
    return (METRICS[name].hub_name if name in METRICS else "") or name


def format_score(name: str, value: float | None) -> str:
    """Format a score: in percent or with four decimals, or `-` if it is undefined."""
    return percent(value) if value is None or _in_percent(name) else f"{value:.4f}"


def format_interval(name: str, interval: Interval | None) -> str:
    """Format the interval of a score, or `-` if there is none."""
    if interval is None:
        return "-"
    low, high = interval
    return f"{low * 100:.1f} to {high * 100:.1f} %" if _in_percent(name) else f"{low:.3f} to {high:.3f}"


def percent(share: float | None) -> str:
    """Format a share of 1 in percent, or `-` for None."""
    return "-" if share is None else f"{share * 100:.2f} %"


def _in_percent(name: str) -> bool:
    return name in METRICS and METRICS[name].number_format == "percent"
