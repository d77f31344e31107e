"""Registry of scores: to add a score, add one entry to `METRICS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15

Interval = tuple[float, float]
_Floats = NDArray[np.float64]


class WeightedPredictions:
    """Predictions under D weightings of the images.

    A weight of 3 has the same effect as three copies of the image. One bootstrap draw is one row of weights, so a
    thousand draws cost one sort and a few matrix products.

    Args:
        positive: Whether each image shows the finding, shape (N,).
        probability: Predicted probability of the finding in [0, 1], shape (N,).
        weights: Weights of the images, at least 0, shape (D, N); None weights all equally, with D = 1.
        threshold: Smallest probability that is classified as positive.

    Attributes:
        called: Whether each image is classified as positive, shape (N,).
        total: Sum of the weights, shape (D,).
        tp: Weight of the true positives, shape (D,); so are `fp`, `tn` and `fn`.
        sensitivity: Share of the positives that are classified as positive, shape (D,).
        specificity: Share of the negatives that are classified as negative, shape (D,).

    Raises:
        ValueError: If the shapes differ, there are no images, or a probability is not in [0, 1].
    """

    def __init__(
        self,
        positive: NDArray[np.bool_],
        probability: NDArray[np.floating],
        *,
        weights: NDArray[np.number] | None = None,
        threshold: float = 0.5,
    ) -> None:
        self.positive, self.probability = np.asarray(positive, bool), np.asarray(probability, np.float64)
        if self.positive.shape != self.probability.shape or self.positive.ndim != 1 or not len(self.positive):
            shapes = f"{self.positive.shape} and {self.probability.shape}"
            raise ValueError(f"Expected two lists of the same length, got shapes {shapes}.")
        if not ((self.probability >= 0) & (self.probability <= 1)).all():  # NaN fails too
            raise ValueError("Expected probabilities in [0, 1], not logits.")
        self.weights = np.ones((1, len(self.positive))) if weights is None else np.asarray(weights, np.float64)
        self.called = self.probability >= threshold
        self.total = self.weights.sum(axis=1)
        right, called = self.called == self.positive, self.called
        cells = np.stack([called & right, called & ~right, ~called & right, ~called & ~right], axis=1)
        self.tp, self.fp, self.tn, self.fn = (self.weights @ cells.astype(float)).T
        with np.errstate(invalid="ignore"):
            self.sensitivity = self.tp / (self.tp + self.fn)
            self.specificity = self.tn / (self.tn + self.fp)

    @cached_property
    def ranking(self) -> tuple[_Floats, _Floats]:
        """Weights of positives and of negatives at each distinct probability, highest first, both of shape (D, R)."""
        order = np.argsort(-self.probability, kind="stable")
        first_of_rank = np.flatnonzero(np.diff(self.probability[order], prepend=np.inf))
        sorted_weights = self.weights[:, order]
        at_rank = np.add.reduceat(sorted_weights, first_of_rank, axis=1)
        positives = np.add.reduceat(sorted_weights * self.positive[order], first_of_rank, axis=1)
        return positives, at_rank - positives


@dataclass(frozen=True)
class Metric:
    """One score of a binary classifier.

    Attributes:
        name: Key of the score in results and files.
        title: Name of the score in tables and figures.
        function: Computes the score of each weighting, shape (D,); NaN where the score is undefined.
        trials: For a share of images, such as the sensitivity, a function that returns which images are its trials,
            shape (N,). Their sources are the trials of its Wilson interval.
        limits: Smallest and largest value of the score.
        compares_classes: Whether the score compares each positive with the negatives, so that an unseen kind of image
            in the rarer class can change it fully.
        in_percent: Whether the score is printed in percent.
        hub_name: Name of the metric in the `model-index` of the Hub, if it differs from `name`.
        needs_probability: Whether the score is undefined for class labels without probabilities.
        in_summary: Whether one-line summaries show the score.
    """

    name: str
    title: str
    function: Callable[[WeightedPredictions], _Floats]
    trials: Callable[[WeightedPredictions], NDArray[np.bool_]] | None = None
    limits: Interval = (0.0, 1.0)
    compares_classes: bool = False
    in_percent: bool = False
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
    return pairs_won / (positives.sum(axis=1) * negatives.sum(axis=1))


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


_ENTRIES = (
    Metric(
        "accuracy", "accuracy", lambda p: (p.tp + p.tn) / p.total,
        trials=lambda p: np.ones_like(p.positive), in_percent=True, in_summary=True,
    ),
    Metric(
        "sensitivity", "sensitivity", lambda p: p.sensitivity,
        trials=lambda p: p.positive, in_percent=True, hub_name="recall", in_summary=True,
    ),
    Metric(
        "specificity", "specificity", lambda p: p.specificity,
        trials=lambda p: ~p.positive, in_percent=True, in_summary=True,
    ),
    Metric(
        "ppv", "PPV", lambda p: p.tp / (p.tp + p.fp),
        trials=lambda p: p.called, in_percent=True, hub_name="precision",
    ),
    Metric("npv", "NPV", lambda p: p.tn / (p.tn + p.fn), trials=lambda p: ~p.called, in_percent=True),
    Metric("f1", "F1", lambda p: 2 * p.tp / (2 * p.tp + p.fp + p.fn)),
    Metric("balanced_accuracy", "balanced accuracy", lambda p: (p.sensitivity + p.specificity) / 2, in_percent=True),
    Metric("mcc", "MCC", _mcc, limits=(-1.0, 1.0), hub_name="matthews_correlation"),
    Metric(
        "auroc", "AUROC", _auroc,
        compares_classes=True, hub_name="roc_auc", needs_probability=True, in_summary=True,
    ),
    Metric("auprc", "AUPRC", _auprc, compares_classes=True, hub_name="average_precision", needs_probability=True),
    Metric(
        "brier", "Brier", lambda p: p.weights @ (p.probability - p.positive) ** 2 / p.total,
        hub_name="brier_score", needs_probability=True,
    ),
    Metric("ece", "ECE", _ece, hub_name="expected_calibration_error", needs_probability=True),
)  # fmt: skip
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ENTRIES}


def weighted_scores(predictions: WeightedPredictions) -> dict[str, _Floats]:
    """Return an array of shape (D,) for each metric, NaN where a weighting does not define the score.

    The values equal those of scikit-learn with `sample_weight`.
    """
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
    return name in METRICS and METRICS[name].in_percent
