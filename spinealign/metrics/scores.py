"""Scores of predictions without their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from spinealign.labels import MISSING, Label, Target
from spinealign.metrics.registry import METRICS, weighted_scores
from spinealign.metrics.weighted import WeightedPredictions

SIZE_EDGES_MM = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, inf)

Scores = dict[str, float | None]


@dataclass(frozen=True)
class Confusion:
    """Numbers of true positives, false positives, true negatives and false negatives."""

    tp: int
    fp: int
    tn: int
    fn: int


def predictions_of(
    codes: NDArray[np.integer], probabilities: NDArray[np.floating], *, label: Label, threshold: float = 0.5
) -> WeightedPredictions:
    """Return the predictions of a label on the images that have a value.

    Args:
        codes: True class of each image, or `MISSING`, shape (N,).
        probabilities: Predicted probabilities of the classes in [0, 1], shape (N, K).
        label: The label.
        threshold: Smallest probability of a binary label that is classified as positive.

    Raises:
        ValueError: If the shapes differ, no image has a value, or a probability is not in [0, 1].
    """
    codes, probabilities = np.asarray(codes), np.asarray(probabilities)
    if codes.shape != probabilities.shape[:1]:
        raise ValueError(f"Expected one class for each of {len(probabilities)} images, got shape {codes.shape}.")
    known = codes != MISSING
    codes, probabilities = codes[known], probabilities[known]
    if label.kind != "binary":
        return WeightedPredictions(label.kind, codes, probabilities)
    positive = label.positive_index
    return WeightedPredictions.binary(codes == positive, probabilities[:, positive], threshold=threshold)


def scores_of(predictions: WeightedPredictions) -> Scores:
    """Return every score of the registry for this kind of label, None where it is undefined, with the first weights."""
    scored = weighted_scores(predictions)
    return {name: float(value[0]) if np.isfinite(value[0]) else None for name, value in scored.items()}


def label_scores(
    codes: NDArray[np.integer], probabilities: NDArray[np.floating], *, label: Label, threshold: float = 0.5
) -> Scores:
    """Compute every score of a label; see `predictions_of`.

    Example:
        >>> finding = Label("label", "binary", ("normal", "fracture"), positive="fracture")
        >>> probabilities = np.array([[0.1, 0.9], [0.8, 0.2], [0.9, 0.1]])
        >>> label_scores(np.array([1, 1, 0]), probabilities, label=finding)["sensitivity"]
        0.5
    """
    return scores_of(predictions_of(codes, probabilities, label=label, threshold=threshold))


def target_scores(
    codes: Sequence[NDArray[np.integer]],
    probabilities: Sequence[NDArray[np.floating]],
    *,
    target: Target,
) -> Scores:
    """Compute every score of one label; or the means over several labels, and the scores of each as `NAME_SCORE`.

    Labels without a value are left out. The true classes of a label, or `MISSING`, have the shape (N,), the
    probabilities of its classes (N, K).
    """
    parts = {
        label.name: label_scores(truth, predicted, label=label)
        for label, truth, predicted in zip(target.labels, codes, probabilities, strict=True)
        if not target.has_several or (np.asarray(truth) != MISSING).any()
    }
    if not target.has_several:
        return parts[target.labels[0].name]
    named = {f"{label}_{name}": value for label, part in parts.items() for name, value in part.items()}
    return {**mean_scores(list(parts.values())), **named}


def mean_scores(parts: Sequence[Scores]) -> Scores:
    """Return the mean of each score over the labels for which it is defined, in the order of the registry."""
    present = [name for name in METRICS if any(name in part for part in parts)]
    values = {name: [value for part in parts if (value := part.get(name)) is not None] for name in present}
    return {name: float(np.mean(found)) if found else None for name, found in values.items()}


@dataclass(frozen=True)
class SizeBin:
    """Sensitivity for findings in one range of sizes.

    Attributes:
        from_mm: Smallest size, inclusive.
        to_mm: Largest size, exclusive; None if the bin is unbounded.
        count: Number of findings.
        sensitivity: Share of the findings that were detected, in [0, 1].
    """

    from_mm: float
    to_mm: float | None
    count: int
    sensitivity: float


def sensitivity_by_size(size_mm: NDArray[np.floating], called: NDArray[np.bool_]) -> tuple[SizeBin, ...]:
    """Return the sensitivity in bins of one millimeter, the last one from 8 mm on; empty bins are left out.

    Args:
        size_mm: Size of each finding, NaN if unknown, shape (N,).
        called: Whether each finding was detected, shape (N,).
    """
    bins = []
    for low, high in pairwise(SIZE_EDGES_MM):
        inside = (size_mm >= low) & (size_mm < high)
        if inside.any():
            bins.append(SizeBin(low, high if isfinite(high) else None, int(inside.sum()), float(called[inside].mean())))
    return tuple(bins)
