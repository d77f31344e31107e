"""Scores of a binary classifier, with `fracture` as the positive class."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import require


@dataclass(frozen=True)
class Scores:
    """Scores in [0, 1]; None where the images do not define one (no positive, no negative, nothing called positive)."""

    accuracy: float
    sensitivity: float | None
    specificity: float | None
    precision: float | None
    f1: float | None
    auroc: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Return name and value of each score."""
        return asdict(self)


def binary_scores(positive: NDArray[np.bool_], probability: NDArray[np.floating], *, threshold: float = 0.5) -> Scores:
    """Compare probabilities of the positive class with the truth.

    Args:
        positive: True where the finding is there, shape (N,).
        probability: Probability of the finding in [0, 1], shape (N,).
        threshold: Probabilities of at least this much count as a call.

    Returns:
        The scores.

    Raises:
        ValueError: If the shapes differ or there is nothing to score.
        MissingDependencyError: If scikit-learn is not installed.

    Example:
        >>> binary_scores(np.array([True, True, False]), np.array([0.9, 0.2, 0.1])).sensitivity
        0.5
    """
    require("sklearn", extra="train")
    from sklearn.metrics import roc_auc_score

    positive, probability = np.asarray(positive, bool), np.asarray(probability, float)
    if positive.shape != probability.shape or positive.ndim != 1 or not len(positive):
        raise ValueError(f"need two lists of one length, not {positive.shape} and {probability.shape}.")
    called = probability >= threshold
    true_positives = int((called & positive).sum())
    both_classes = bool(positive.any() and not positive.all())
    return Scores(
        accuracy=float((called == positive).mean()),
        sensitivity=_share(true_positives, positive.sum()),
        specificity=_share((~called & ~positive).sum(), (~positive).sum()),
        precision=_share(true_positives, called.sum()),
        f1=_share(2 * true_positives, positive.sum() + called.sum()),
        auroc=float(roc_auc_score(positive, probability)) if both_classes else None,
    )


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


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
