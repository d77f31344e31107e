"""Shortcut baseline: a linear model on thumbnails (thumbnail ridge), which are too coarse to show the finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.errors import require
from spinealign.metrics.intervals import Intervals, cluster_bootstrap
from spinealign.metrics.registry import METRICS, percent
from spinealign.metrics.scores import Scores, binary_scores

THUMBNAIL_SIZE = 16
SHORTCUT_MARGIN = 0.05  # above chance, from which the balanced accuracy of the thumbnail ridge raises a warning
SKEWED = 0.6  # share of the more frequent class from which the balanced accuracy is reported instead of the accuracy


def thumbnail(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shrink a gray image of shape (H, W) to 256 features in [0, 1], too coarse to show a fracture."""
    small = Image.fromarray(gray).resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel() / np.float32(255)


def thumbnail_ridge_calls(
    train: NDArray[np.floating], train_positive: NDArray[np.bool_], *, test: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Classify images by ridge regression on thumbnails, with both classes weighted equally.

    If its accuracy is high, coarse appearance predicts the label, and a high accuracy of another model on the same
    split is not evidence that it detects the finding.

    Args:
        train: Features of the training images, shape (N, F).
        train_positive: Whether each training image shows the finding, shape (N,).
        test: Features of the images to classify, shape (M, F).

    Returns:
        Whether each image is classified as positive, shape (M,).

    Raises:
        MissingDependencyError: If scikit-learn is not installed.
    """
    require("sklearn", extra="evaluate")
    from sklearn.linear_model import RidgeClassifier

    ridge = RidgeClassifier(alpha=1.0, class_weight="balanced").fit(train, train_positive)
    return np.asarray(ridge.predict(test), bool)


def fold_calls(
    features: NDArray[np.floating], positive: NDArray[np.bool_], *, fold: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Classify each image by ridge regression on the other folds, as `thumbnail_ridge_calls`.

    The features have the shape (N, F); labels, folds (from `source_folds`) and result have the shape (N,).
    """
    calls = np.zeros(len(positive), bool)
    for number in np.unique(fold):
        held_out = fold == number
        calls[held_out] = thumbnail_ridge_calls(features[~held_out], positive[~held_out], test=features[held_out])
    return calls


@dataclass(frozen=True)
class Baseline:
    """Scores of a classifier that gives labels but no probabilities; scores that need probabilities are None.

    Attributes:
        scores: Scores over images.
        intervals: 95 % interval of each score, over the units of the evaluation.
    """

    scores: Scores
    intervals: Intervals

    def __post_init__(self) -> None:
        require_same_scores(self.scores, self.intervals)

    @classmethod
    def of(
        cls,
        positive: NDArray[np.bool_],
        called: NDArray[np.bool_],
        *,
        groups: Sequence[str | int],
        draws: int = 1000,
    ) -> Baseline:
        """Score labels, with intervals from `cluster_bootstrap`."""
        labels = np.asarray(called, float)
        intervals = cluster_bootstrap(positive, labels, groups=groups, draws=draws)
        without = {name: None for name, metric in METRICS.items() if metric.needs_probability}
        return cls({**binary_scores(positive, labels), **without}, {**intervals, **without})

    @property
    def tells_the_classes(self) -> bool:
        """Whether the interval of the balanced accuracy is above chance; for thumbnails it never should be."""
        interval = self.intervals.get("balanced_accuracy")
        return interval is not None and interval[0] > 0.5 + SHORTCUT_MARGIN


def require_same_scores(scores: Scores, *intervals: Intervals) -> None:
    """Raise a ValueError if scores and intervals have different names, or lack the accuracy."""
    if "accuracy" not in scores or any(item.keys() != scores.keys() for item in intervals):
        raise ValueError("scores and intervals have different names, or lack the accuracy")


def reached_by_ridge(accuracy: float, balanced: float | None, *, majority: float) -> str:
    """Format the accuracy of the thumbnail ridge, or its balanced accuracy if it has one and one class is rare.

    `majority` is the share of the more frequent class.
    """
    return percent(accuracy) if balanced is None or majority < SKEWED else f"a balanced accuracy of {percent(balanced)}"
