"""Scores of a binary classifier, with `fracture` as the positive class."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.metrics.registry import weighted_scores


@dataclass(frozen=True)
class Scores:
    """Scores in [0, 1], the MCC in [-1, 1]; None where the images do not define one.

    Attributes:
        accuracy: Share of right calls.
        sensitivity: Share of the positives that are called; None without a positive.
        specificity: Share of the negatives that are not called; None without a negative.
        ppv: Positive predictive value, the share of the calls that are right (precision); None where nothing is called.
        npv: Negative predictive value; None where everything is called.
        f1: Harmonic mean of PPV and sensitivity; None where nothing is positive and nothing is called.
        balanced_accuracy: Mean of sensitivity and specificity.
        mcc: Correlation of call and truth (Matthews, Biochim. Biophys. Acta 405, 1975, 442); None where one is
            constant.
        auroc: Area under the ROC curve; None unless there are positives and negatives.
        auprc: Area under the precision-recall curve, as average precision; None unless there are both.
        brier: Mean squared distance of probability and truth (Brier, Mon. Weather Rev. 78, 1950, 1).
        ece: Expected calibration error (Guo et al., ICML 2017) of the probability of the positive class: over 15 bins
            of equal width, the mean distance of mean probability and share of positives, weighted by the images in the
            bin. Guo et al. bin the confidence in the predicted class instead; with two classes, the probability of the
            positive one also shows errors that cancel out between the classes.
    """

    accuracy: float
    sensitivity: float | None
    specificity: float | None
    ppv: float | None
    npv: float | None
    f1: float | None
    balanced_accuracy: float | None
    mcc: float | None
    auroc: float | None
    auprc: float | None
    brier: float | None
    ece: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Return name and value of each score."""
        return asdict(self)


@dataclass(frozen=True)
class Confusion:
    """Counts of images.

    Attributes:
        tp: Positives that are called.
        fp: Negatives that are called.
        tn: Negatives that are not called.
        fn: Positives that are not called.
    """

    tp: int
    fp: int
    tn: int
    fn: int


def binary_scores(positive: NDArray[np.bool_], probability: NDArray[np.floating], *, threshold: float = 0.5) -> Scores:
    """Compare probabilities of the positive class with the truth.

    Args:
        positive: True where the finding is there, shape (N,).
        probability: Probability of the finding in [0, 1], shape (N,).
        threshold: Probabilities of at least this much count as a call.

    Returns:
        The scores.

    Raises:
        ValueError: If the shapes differ, there is nothing to score, or a probability is not in [0, 1].

    Example:
        >>> binary_scores(np.array([True, True, False]), np.array([0.9, 0.2, 0.1])).sensitivity
        0.5
    """
    positive, probability = checked(positive, probability)
    scored = weighted_scores(positive, probability, weights=np.ones((1, len(positive))), threshold=threshold)
    values: dict[str, Any] = {name: float(value) if np.isfinite(value) else None for name, (value,) in scored.items()}
    return Scores(**values)


def confusion_of(positive: NDArray[np.bool_], called: NDArray[np.bool_]) -> Confusion:
    """Count right and wrong calls; both arrays have the shape (N,)."""
    cells = (called & positive, called & ~positive, ~called & ~positive, ~called & positive)
    return Confusion(*(int(cell.sum()) for cell in cells))


def checked(
    positive: NDArray[np.bool_], probability: NDArray[np.floating]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return truth and probability as arrays that can be scored.

    Raises:
        ValueError: If the shapes differ, there is nothing to score, or a probability is not in [0, 1].
    """
    truth, share = np.asarray(positive, bool), np.asarray(probability, np.float64)
    if truth.shape != share.shape or truth.ndim != 1 or not len(truth):
        raise ValueError(f"need two lists of one length, not {truth.shape} and {share.shape}.")
    if not ((share >= 0) & (share <= 1)).all():  # NaN fails too
        raise ValueError("a probability lies in [0, 1]; give probabilities, not logits.")
    return truth, share


@dataclass(frozen=True)
class SizeBin:
    """Sensitivity for findings of one range of sizes.

    Attributes:
        from_mm: Smallest size, included.
        to_mm: Largest size, not included; None where the bin has no end.
        count: Number of findings.
        sensitivity: Share of them that was found, in [0, 1].
    """

    from_mm: float
    to_mm: float | None
    count: int
    sensitivity: float


def sensitivity_by_size(
    size_mm: NDArray[np.floating], called: NDArray[np.bool_], *, edges_mm: tuple[float, ...]
) -> list[SizeBin]:
    """Return the curve of sensitivity over the size of the finding.

    Args:
        size_mm: Size of each finding, shape (N,).
        called: Whether it was found, shape (N,).
        edges_mm: Rising limits of the bins; the last may be infinite.

    Returns:
        One entry for each bin that holds a finding.
    """
    bins = []
    for low, high in pairwise(edges_mm):
        inside = (size_mm >= low) & (size_mm < high)
        if inside.any():
            bins.append(SizeBin(low, high if isfinite(high) else None, int(inside.sum()), float(called[inside].mean())))
    return bins
