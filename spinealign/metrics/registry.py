"""Registry of scores: to add a score, add one entry to `METRICS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.labels import KINDS, Kind
from spinealign.metrics.weighted import WeightedPredictions

CALIBRATION_BINS = 15
BINARY: tuple[Kind, ...] = ("binary",)
SEVERAL_CLASSES: tuple[Kind, ...] = ("multi_class", "ordinal")

Interval = tuple[float, float]
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """One score of a classifier.

    Attributes:
        name: Key of the score in results and files.
        title: Name of the score in tables and figures.
        function: Computes the score of each weighting, shape (D,); NaN where the score is undefined.
        kinds: Kinds of labels that have the score.
        trials: For a share of images, such as the sensitivity, a function that returns which images are its trials,
            shape (N,). Their sources are the trials of its Wilson interval.
        limits: Smallest and largest value of the score; None for the largest distance of two grades.
        compares_classes: Whether the score compares each positive with the negatives, so that an unseen kind of image
            in the rarer class can change it fully.
        in_percent: Whether the score is printed in percent.
        hub_name: Name of the metric in the `model-index` of the Hub, if it differs from `name`.
        needs_probability: Whether the score is undefined for class labels without probabilities.
        in_summary: Kinds of labels for which one-line summaries show the score.
    """

    name: str
    title: str
    function: Callable[[WeightedPredictions], _Floats]
    kinds: tuple[Kind, ...] = KINDS
    trials: Callable[[WeightedPredictions], NDArray[np.bool_]] | None = None
    limits: tuple[float, float | None] = (0.0, 1.0)
    compares_classes: bool = False
    in_percent: bool = False
    hub_name: str = ""
    needs_probability: bool = False
    in_summary: tuple[Kind, ...] = ()

    def limits_of(self, classes: int) -> Interval:
        """Return the smallest and largest value for a label with this number of classes."""
        low, high = self.limits
        return low, float(classes - 1) if high is None else high


def calibration_bin(probability: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the number of the equal-width bin, 0 to 14, of each probability; 1.0 is in the last bin."""
    return np.minimum((np.asarray(probability) * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)


def _mcc(p: WeightedPredictions) -> _Floats:
    """Return the correlation of true and predicted classes (Gorodkin, Comput. Biol. Chem. 28, 2004, 367)."""
    total = p.total
    covariance = p.hits.sum(axis=1) * total - (p.true * p.predicted).sum(axis=1)
    spreads = [total**2 - (margin**2).sum(axis=1) for margin in (p.predicted, p.true)]
    return covariance / np.sqrt(spreads[0] * spreads[1])


def _f1(p: WeightedPredictions) -> _Floats:
    """Return the F1 of each class, shape (D, K)."""
    return 2 * p.hits / (p.true + p.predicted)


def _if_both(p: WeightedPredictions, values: _Floats) -> _Floats:
    """Return a score that depends on the share of positives, NaN with images of one class only."""
    return np.where((p.true > 0).all(axis=1), values, np.nan)


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


def _macro(function: Callable[[WeightedPredictions], _Floats], p: WeightedPredictions) -> _Floats:
    """Return the mean of a binary score over the classes, each against all others."""
    return p.mean_over_classes(np.stack([function(part) for part in p.one_vs_rest], axis=1))


def _brier(p: WeightedPredictions) -> _Floats:
    """Return half of the squared distance from the true class, which is the usual score for two classes."""
    truth = np.eye(p.classes)[p.codes]
    return p.weights @ ((p.probabilities - truth) ** 2).sum(axis=1) / (2 * p.total)


def _calibration_error(p: WeightedPredictions, confidence: _Floats, right: NDArray[np.bool_]) -> _Floats:
    """Return the expected calibration error over bins of equal width (Guo et al., ICML 2017)."""
    gap_of_bin = np.zeros((len(right), CALIBRATION_BINS))
    gap_of_bin[np.arange(len(right)), calibration_bin(confidence)] = confidence - right
    return np.abs(p.weights @ gap_of_bin).sum(axis=1) / p.total


def _quadratic_kappa(p: WeightedPredictions) -> _Floats:
    """Return the kappa with quadratic weights (Cohen, Psychol. Bull. 70, 1968, 213), NaN for a single true grade."""
    penalty = _distances(p) ** 2
    expected = np.einsum("di,ij,dj->d", p.true, penalty, p.predicted) / p.total
    kappa = 1 - (p.confusion * penalty).sum(axis=(1, 2)) / expected
    return np.where((p.true > 0).sum(axis=1) > 1, kappa, np.nan)


def _distances(p: WeightedPredictions) -> _Floats:
    """Return the distance of each pair of grades, shape (K, K)."""
    grade = np.arange(p.classes, dtype=float)
    return np.abs(grade[:, None] - grade)


def _all_images(p: WeightedPredictions) -> NDArray[np.bool_]:
    return np.ones(len(p.codes), bool)


_ENTRIES = (
    Metric(
        "accuracy", "accuracy", lambda p: p.hits.sum(axis=1) / p.total,
        trials=_all_images, in_percent=True, in_summary=KINDS,
    ),
    Metric(
        "sensitivity", "sensitivity", lambda p: p.hits[:, 1] / p.true[:, 1],
        kinds=BINARY, trials=lambda p: p.positive, in_percent=True, hub_name="recall", in_summary=BINARY,
    ),
    Metric(
        "specificity", "specificity", lambda p: p.hits[:, 0] / p.true[:, 0],
        kinds=BINARY, trials=lambda p: ~p.positive, in_percent=True, in_summary=BINARY,
    ),
    Metric(
        "ppv", "PPV", lambda p: _if_both(p, p.hits[:, 1] / p.predicted[:, 1]),
        kinds=BINARY, trials=lambda p: p.called == 1, in_percent=True, hub_name="precision",
    ),
    Metric(
        "npv", "NPV", lambda p: _if_both(p, p.hits[:, 0] / p.predicted[:, 0]),
        kinds=BINARY, trials=lambda p: p.called == 0, in_percent=True,
    ),
    Metric("f1", "F1", lambda p: _if_both(p, _f1(p)[:, 1]), kinds=BINARY),
    Metric(
        "quadratic_kappa", "quadratic kappa", _quadratic_kappa,
        kinds=("ordinal",), limits=(-1.0, 1.0), hub_name="cohen_kappa", in_summary=("ordinal",),
    ),
    Metric(
        "mean_absolute_error", "mean absolute error in grades",
        lambda p: (p.confusion * _distances(p)).sum(axis=(1, 2)) / p.total,
        kinds=("ordinal",), limits=(0.0, None), hub_name="mae", in_summary=("ordinal",),
    ),
    Metric(
        "within_one_grade", "within one grade",
        lambda p: (p.confusion * (_distances(p) <= 1)).sum(axis=(1, 2)) / p.total,
        kinds=("ordinal",), trials=_all_images, in_percent=True, in_summary=("ordinal",),
    ),
    Metric(
        "balanced_accuracy", "balanced accuracy", lambda p: p.mean_over_classes(p.hits / p.true),
        in_percent=True, in_summary=("multi_class",),
    ),
    Metric("macro_f1", "macro F1", lambda p: p.mean_over_classes(_f1(p)), kinds=SEVERAL_CLASSES, hub_name="f1"),
    Metric("mcc", "MCC", _mcc, limits=(-1.0, 1.0), hub_name="matthews_correlation"),
    Metric(
        "auroc", "AUROC", _auroc,
        kinds=BINARY, compares_classes=True, hub_name="roc_auc", needs_probability=True, in_summary=BINARY,
    ),
    Metric(
        "auprc", "AUPRC", _auprc,
        kinds=BINARY, compares_classes=True, hub_name="average_precision", needs_probability=True,
    ),
    Metric(
        "macro_auroc", "macro AUROC", lambda p: _macro(_auroc, p),
        kinds=SEVERAL_CLASSES, compares_classes=True, hub_name="roc_auc", needs_probability=True,
        in_summary=("multi_class",),
    ),
    Metric(
        "macro_auprc", "macro AUPRC", lambda p: _macro(_auprc, p),
        kinds=SEVERAL_CLASSES, compares_classes=True, hub_name="average_precision", needs_probability=True,
    ),
    Metric("brier", "Brier", _brier, hub_name="brier_score", needs_probability=True),
    Metric(
        "ece", "ECE", lambda p: _calibration_error(p, p.probability, p.positive),
        kinds=BINARY, hub_name="expected_calibration_error", needs_probability=True,
    ),
    Metric(
        "top_label_ece", "ECE of the top class",
        lambda p: _calibration_error(p, p.probabilities.max(axis=1), p.probabilities.argmax(axis=1) == p.codes),
        kinds=SEVERAL_CLASSES, hub_name="expected_calibration_error", needs_probability=True,
    ),
)  # fmt: skip
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ENTRIES}


def weighted_scores(predictions: WeightedPredictions) -> dict[str, _Floats]:
    """Return an array of shape (D,) for each metric of the kind, NaN where a weighting does not define the score.

    The values equal those of scikit-learn with `sample_weight`; means over classes leave out classes without images.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            name: metric.function(predictions) for name, metric in METRICS.items() if predictions.kind in metric.kinds
        }


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
