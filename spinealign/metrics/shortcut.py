"""Shortcut baseline: a linear model on thumbnails (thumbnail ridge), which are too coarse to show the finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.errors import require
from spinealign.labels import MISSING
from spinealign.metrics.intervals import Intervals, cluster_bootstrap
from spinealign.metrics.registry import METRICS
from spinealign.metrics.scores import Scores, scores_of
from spinealign.metrics.weighted import WeightedPredictions

THUMBNAIL_SIZE = 16
SHORTCUT_MARGIN = 0.05  # above chance, from which the balanced accuracy of the thumbnail ridge raises a warning
SKEWED = 0.6  # share of the more frequent class from which the balanced accuracy is reported instead of the accuracy


def thumbnail(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shrink a gray image of shape (H, W) to 256 features in [0, 1], too coarse to show a small finding."""
    small = Image.fromarray(gray).resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel() / np.float32(255)


def thumbnail_ridge_calls(
    train: NDArray[np.floating], codes: NDArray[np.integer], *, test: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Classify images by ridge regression on features of shape (images, F), with all classes weighted equally.

    With more than two classes, each is separated from all others. Images with `MISSING` as their class are left out; if
    only one class is left, it is the result for all. If the accuracy is high, coarse appearance predicts the label, and
    a high accuracy of another model on the same split is not evidence that it detects the finding.

    Raises:
        ValueError: If no training image has a class.
        MissingDependencyError: If scikit-learn is not installed.
    """
    require("sklearn", extra="evaluate")
    from sklearn.linear_model import RidgeClassifier

    known = codes != MISSING
    train, codes = train[known], codes[known]
    if not len(codes):
        raise ValueError("Expected training images with a class, got none.")
    if (codes == codes[0]).all():
        return np.full(len(test), codes[0])
    ridge = RidgeClassifier(alpha=1.0, class_weight="balanced").fit(train, codes)
    return np.asarray(ridge.predict(test), np.int64)


def fold_calls(
    features: NDArray[np.floating], codes: NDArray[np.integer], *, fold: NDArray[np.intp]
) -> NDArray[np.int64]:
    """Classify each image by ridge regression on the other folds, as `thumbnail_ridge_calls`.

    The features have the shape (N, F); classes, folds (from `source_folds`) and result have the shape (N,).
    """
    calls = np.zeros(len(codes), np.int64)
    for number in np.unique(fold):
        held_out = fold == number
        calls[held_out] = thumbnail_ridge_calls(features[~held_out], codes[~held_out], test=features[held_out])
    return calls


@dataclass(frozen=True)
class Baseline:
    """Scores of a classifier that gives classes but no probabilities; scores that need probabilities are None.

    Attributes:
        scores: Scores over images.
        intervals: 95 % interval of each score, over the units of the evaluation.
        chance: Balanced accuracy of one class for all images.
    """

    scores: Scores
    intervals: Intervals
    chance: float = 0.5

    def __post_init__(self) -> None:
        require_same_scores(self.scores, self.intervals)

    @classmethod
    def of(
        cls,
        predictions: WeightedPredictions,
        called: NDArray[np.integer],
        *,
        groups: Sequence[str | int],
        draws: int = 1000,
    ) -> Baseline:
        """Score classes on the images of `predictions`, with intervals from `cluster_bootstrap`."""
        own = without_probabilities(predictions, called)
        intervals = cluster_bootstrap(own, groups=groups, draws=draws)
        return cls.without(scores_of(own), intervals, chance=1 / len(np.unique(own.codes)))

    @classmethod
    def without(cls, scores: Scores, intervals: Intervals, *, chance: float = 0.5) -> Baseline:
        """Leave out the scores that need probabilities."""
        omitted = {name: None for name in scores if METRICS[name].needs_probability}
        return cls({**scores, **omitted}, {**intervals, **omitted}, chance)

    @property
    def tells_the_classes(self) -> bool:
        """Whether the interval of the balanced accuracy is above chance by more than `SHORTCUT_MARGIN`."""
        interval = self.intervals.get("balanced_accuracy")
        return interval is not None and interval[0] > self.chance + SHORTCUT_MARGIN


def without_probabilities(predictions: WeightedPredictions, called: NDArray[np.integer]) -> WeightedPredictions:
    """Return the predicted classes, shape (N,), of the images of other predictions as predictions that are certain."""
    certain = np.eye(predictions.classes)[called]
    return WeightedPredictions(predictions.kind, predictions.codes, certain, called=called)


def require_same_scores(scores: Scores, *intervals: Intervals) -> None:
    """Raise a ValueError if scores and intervals have different names, or lack the accuracy."""
    if "accuracy" not in scores or any(item.keys() != scores.keys() for item in intervals):
        raise ValueError("scores and intervals have different names, or lack the accuracy")
