"""Cross-validation in which no source is in two folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import require
from spinealign.metrics.evaluation import Evaluation, Evidence
from spinealign.serialization import to_plain


def source_folds(
    positive: NDArray[np.bool_], sources: Sequence[str | int], *, folds: int = 5, seed: int = 0
) -> NDArray[np.intp]:
    """Split images into folds of similar size and class balance, each source in one fold.

    Args:
        positive: Whether each image shows the finding, shape (N,).
        sources: Source or patient of each image.
        folds: Number of folds, at least 2.
        seed: Seed of the split.

    Returns:
        Number of the fold of each image, from 0, shape (N,).

    Raises:
        ValueError: If there are fewer than two folds, or a class has fewer sources than folds.
        MissingDependencyError: If scikit-learn is not installed.
    """
    require("sklearn", extra="evaluate")
    from sklearn.model_selection import StratifiedGroupKFold

    positive = np.asarray(positive, bool)
    _, group = np.unique(np.asarray(sources), return_inverse=True)
    rarest = min(len(np.unique(group[members])) for members in (positive, ~positive))
    if folds < 2 or rarest < folds:
        raise ValueError(
            f"Expected at least 2 folds and as many distinct sources in each class, got {folds} folds and {rarest} "
            f"sources in the rarer class. Use {'at least 2' if folds < 2 else 'fewer'} folds or add sources; copies "
            "of a source do not count."
        )
    fold = np.zeros(len(positive), np.intp)
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(group, positive, group)
    for number, (_, held_out) in enumerate(parts):
        fold[held_out] = number
    return fold


@dataclass(frozen=True)
class CrossValidation:
    """Evaluations of a cross-validation over sources.

    Attributes:
        folds: Evaluation of each fold.
        pooled: Evaluation of the images of all folds together.
    """

    folds: tuple[Evaluation, ...]
    pooled: Evaluation

    @classmethod
    def of(
        cls,
        positive: NDArray[np.bool_],
        probability: NDArray[np.floating],
        *,
        fold: NDArray[np.intp],
        evidence: Evidence,
        threshold: float = 0.5,
    ) -> CrossValidation:
        """Score held-out predictions, as `Evaluation.of`; `fold` is from `source_folds`, shape (N,)."""

        def evaluate(members: NDArray[np.bool_], split: str) -> Evaluation:
            part = evidence.part(members, split=split)
            return Evaluation.of(positive[members], probability[members], evidence=part, threshold=threshold)

        numbers = np.unique(fold)
        return cls(
            folds=tuple(evaluate(fold == number, f"fold {number + 1}") for number in numbers),
            pooled=evaluate(np.ones(len(fold), bool), f"{len(numbers)} folds"),
        )

    def mean_and_deviation(self, score: str) -> tuple[float | None, float | None]:
        """Return mean and standard deviation of a score over the folds in which it is defined, or None.

        The folds share training images, so the deviation is not a standard error; use the intervals of `pooled`.
        """
        values = [value for item in self.folds if (value := item.scores.get(score)) is not None]
        if not values:
            return None, None
        return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluations as plain data for JSON."""
        return to_plain(self)
