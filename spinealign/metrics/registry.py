"""The formula of every score, for many weightings of the same images at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15

_Floats = NDArray[np.float64]


def weighted_scores(
    positive: NDArray[np.bool_], probability: NDArray[np.floating], *, weights: NDArray[Any], threshold: float
) -> dict[str, _Floats]:
    """Score weighted images; a weight of 3 says the same as three copies of the image.

    One bootstrap draw is one row of weights, so a thousand draws cost one sort and a few matrix products. The values
    are those of scikit-learn with `sample_weight`.

    Args:
        positive: True where the finding is there, shape (N,).
        probability: Its predicted probability in [0, 1], shape (N,).
        weights: Weights of the images, at least 0, shape (D, N).
        threshold: Probabilities of at least this much count as a call.

    Returns:
        The fields of `Scores`, each of shape (D,) and NaN where a weighting does not define it.
    """
    weights = np.asarray(weights, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        thresholded = _thresholded(*_confusion(positive, probability >= threshold, weights))
        return {
            **thresholded,
            **_ranked(positive, probability, weights),
            "brier": weights @ (probability - positive) ** 2 / weights.sum(axis=1),
            "ece": _calibration_error(positive, probability, weights),
        }


def calibration_bin(probability: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the number of the equal-width bin, 0 to 14, that holds each probability; 1 lies in the last."""
    return np.minimum((np.asarray(probability) * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)


def _confusion(positive: NDArray[np.bool_], called: NDArray[np.bool_], weights: _Floats) -> _Floats:
    """Return the weights of true and false positives, true and false negatives, shape (4, D)."""
    cells = np.stack([called & positive, called & ~positive, ~called & ~positive, ~called & positive], axis=1)
    return (weights @ cells.astype(float)).T


def _thresholded(tp: _Floats, fp: _Floats, tn: _Floats, fn: _Floats) -> dict[str, _Floats]:
    sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
    margins = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return {
        "accuracy": (tp + tn) / (tp + fp + tn + fn),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": tp / (tp + fp),
        "npv": tn / (tn + fn),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "mcc": (tp * tn - fp * fn) / np.sqrt(margins),
    }


def _ranked(positive: NDArray[np.bool_], probability: NDArray[np.floating], weights: _Floats) -> dict[str, _Floats]:
    """Return the area under the ROC curve and the average precision; images of one probability share a rank."""
    order = np.argsort(-probability, kind="stable")
    first_of_rank = np.flatnonzero(np.diff(probability[order], prepend=np.inf))
    sorted_weights, sorted_positive = weights[:, order], positive[order]
    at_rank = np.add.reduceat(sorted_weights, first_of_rank, axis=1)
    positives_at_rank = np.add.reduceat(sorted_weights * sorted_positive, first_of_rank, axis=1)
    negatives_at_rank = at_rank - positives_at_rank
    true_positives, called = np.cumsum(positives_at_rank, axis=1), np.cumsum(at_rank, axis=1)
    positives = true_positives[:, -1]
    negatives = called[:, -1] - positives
    pairs_won = (negatives_at_rank * (true_positives - positives_at_rank / 2)).sum(axis=1)
    precision = np.divide(true_positives, called, out=np.zeros_like(called), where=called > 0)
    average_precision = (positives_at_rank * precision).sum(axis=1) / positives
    return {
        "auroc": pairs_won / (positives * negatives),
        "auprc": np.where(negatives > 0, average_precision, np.nan),
    }


def _calibration_error(positive: NDArray[np.bool_], probability: NDArray[np.floating], weights: _Floats) -> _Floats:
    gap_of_bin = np.zeros((len(positive), CALIBRATION_BINS))
    gap_of_bin[np.arange(len(positive)), calibration_bin(probability)] = probability - positive
    return np.abs(weights @ gap_of_bin).sum(axis=1) / weights.sum(axis=1)
