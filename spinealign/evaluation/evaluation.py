"""One object behind every printed, stored and published number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.evaluation.intervals import wilson_interval
from spinealign.evaluation.metrics import Scores, SizeBin, binary_scores, sensitivity_by_size

SIZE_EDGES_MM = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, inf)


@dataclass(frozen=True)
class Evaluation:
    """What a model scores on one split of one collection, and how much that means.

    Attributes:
        collection: Name of the collection.
        split: Name of its part.
        images: Number of images.
        sources: Number of distinct source slices; the copies of one slice count once.
        scores: Scores over images.
        accuracy_interval: 95 % interval of the accuracy, as if each source had been called once.
        thumbnail_ridge_accuracy: What the shortcut probe reaches on the same split; None without training images.
        sensitivity_by_size: Sensitivity over the size of the finding, where sizes are known.
    """

    collection: str
    split: str
    images: int
    sources: int
    scores: Scores
    accuracy_interval: tuple[float, float]
    thumbnail_ridge_accuracy: float | None = None
    sensitivity_by_size: tuple[SizeBin, ...] = ()

    @classmethod
    def of(
        cls,
        positive: NDArray[np.bool_],
        probability: NDArray[np.floating],
        *,
        sources: Sequence[str],
        name: tuple[str, str],
        size_mm: NDArray[np.floating] | None = None,
        thumbnail_ridge_accuracy: float | None = None,
    ) -> Evaluation:
        """Score predictions.

        Args:
            positive: True where the finding is there, shape (N,).
            probability: Its predicted probability, shape (N,).
            sources: The source slice of each image.
            name: Collection and split.
            size_mm: Size of each finding, NaN where there is none or it is not known, shape (N,).
            thumbnail_ridge_accuracy: What the shortcut probe reaches on the same split.
        """
        called = probability >= 0.5
        known = np.isfinite(size_mm) & positive if size_mm is not None else np.zeros(len(positive), bool)
        curve = (
            sensitivity_by_size(size_mm[known], called[known], edges_mm=SIZE_EDGES_MM) if size_mm is not None else []
        )
        scores, distinct = binary_scores(positive, probability), len(set(sources))
        return cls(
            collection=name[0],
            split=name[1],
            images=len(positive),
            sources=distinct,
            scores=scores,
            accuracy_interval=wilson_interval(scores.accuracy, distinct),
            thumbnail_ridge_accuracy=thumbnail_ridge_accuracy,
            sensitivity_by_size=tuple(curve),
        )

    @property
    def shortcut_warning(self) -> str | None:
        """A plain sentence where the split proves little, else None."""
        if self.thumbnail_ridge_accuracy is None or self.thumbnail_ridge_accuracy < 0.65:
            return None
        return (
            f"A linear model on 16x16 thumbnails reaches {self.thumbnail_ridge_accuracy:.2%} on {self.collection} "
            f"({self.split}): accuracy on this split says nothing about fractures."
        )

    def sensitivity_from(self, size_mm: float) -> float | None:
        """Return the sensitivity for findings of at least `size_mm`, which must be a limit of the bins."""
        bins = [entry for entry in self.sensitivity_by_size if entry.from_mm >= size_mm]
        total = sum(entry.count for entry in bins)
        return sum(entry.sensitivity * entry.count for entry in bins) / total if total else None

    def to_dict(self) -> dict[str, Any]:
        """Return the content as plain data for JSON."""
        return asdict(self)


def format_evaluations(evaluations: Sequence[Evaluation]) -> str:
    """Return a table for people: the accuracy never stands without sources, interval and shortcut probe."""
    header = ("collection", "split", "images", "sources", "accuracy", "95 % over sources", "thumbnail ridge",
              "sensitivity", "specificity", "F1", "AUROC")  # fmt: skip
    rows = [header, *(_cells(evaluation) for evaluation in evaluations)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    warnings = [evaluation.shortcut_warning for evaluation in evaluations]
    return "\n".join([*lines, *("! " + warning for warning in warnings if warning)])


def _cells(evaluation: Evaluation) -> tuple[str, ...]:
    scores, (low, high) = evaluation.scores, evaluation.accuracy_interval
    return (
        evaluation.collection,
        evaluation.split,
        f"{evaluation.images:,}",
        f"{evaluation.sources:,}",
        percent(scores.accuracy),
        f"{low * 100:.1f} to {high * 100:.1f} %",
        percent(evaluation.thumbnail_ridge_accuracy),
        percent(scores.sensitivity),
        percent(scores.specificity),
        "-" if scores.f1 is None else f"{scores.f1:.3f}",
        "-" if scores.auroc is None else f"{scores.auroc:.4f}",
    )


def percent(share: float | None) -> str:
    """Write a share of 1 for people; a dash where there is none."""
    return "-" if share is None else f"{share * 100:.2f} %"
