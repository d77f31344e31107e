"""Cross-validation in which no source stands on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import require
from spinealign.metrics.evaluation import Evaluation, Evidence


def source_folds(
    positive: NDArray[np.bool_], sources: Sequence[str | int], *, folds: int = 5, seed: int = 0
) -> NDArray[np.intp]:
    """Cut images into folds of similar size and class balance, each source in one fold.

    Args:
        positive: True where the finding is there, shape (N,).
        sources: The source of each image, or its patient.
        folds: Number of folds, at least 2.
        seed: Seed of the cut.

    Returns:
        The number of the fold that holds each image out, from 0, shape (N,).

    Raises:
        ValueError: If there are fewer than two folds, or a class has fewer sources than folds.
        MissingDependencyError: If scikit-learn is not installed.
    """
    require("sklearn", extra="train")
    from sklearn.model_selection import StratifiedGroupKFold

    positive = np.asarray(positive, bool)
    _, group = np.unique(np.asarray(sources), return_inverse=True)
    rarest = min(len(np.unique(group[members])) for members in (positive, ~positive))
    if folds < 2 or rarest < folds:
        raise ValueError(
            f"{folds} folds need at least 2 folds and as many distinct sources in each class; the rarer class has "
            f"{rarest}. Ask for {'2' if folds < 2 else 'fewer'} folds, or add sources: copies of one do not count."
        )
    fold = np.zeros(len(positive), np.intp)
    cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(group, positive, group)
    for number, (_, held_out) in enumerate(cut):
        fold[held_out] = number
    return fold


@dataclass(frozen=True)
class CrossValidation:
    """What models score on the sources that each of them never saw.

    Attributes:
        folds: One evaluation for each fold, of the model that was trained without it.
        pooled: One evaluation of all images, each called by the model that never saw its source.
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
        seed: int = 0,
    ) -> CrossValidation:
        """Score held-out predictions.

        Args:
            positive: True where the finding is there, shape (N,).
            probability: What the model of the other folds says, in [0, 1], shape (N,).
            fold: The fold of each image, as `source_folds` gives it, shape (N,).
            evidence: What the predictions rest on.
            threshold: Probabilities of at least this much count as a call.
            seed: Seed of the intervals.
        """

        def evaluate(members: NDArray[np.bool_], split: str) -> Evaluation:
            part = evidence.part(members, split=split)
            return Evaluation.of(
                positive[members], probability[members], evidence=part, threshold=threshold, seed=seed
            )  # fmt: skip

        numbers = np.unique(fold)
        return cls(
            folds=tuple(evaluate(fold == number, f"fold {number + 1}") for number in numbers),
            pooled=evaluate(np.ones(len(fold), bool), f"{len(numbers)} folds"),
        )

    def mean_and_deviation(self, score: str) -> tuple[float | None, float | None]:
        """Return mean and standard deviation of a score over the folds that define it; None where none does.

        The folds share training images, so the deviation is no standard error; the intervals of `pooled` are the
        evidence.
        """
        values = [value for item in self.folds if (value := item.scores.to_dict()[score]) is not None]
        if not values:
            return None, None
        return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CrossValidation:
        """Rebuild a cross-validation from what `to_dict` gave, also after a way through JSON."""
        folds = tuple(Evaluation.from_dict(item) for item in content["folds"])
        return cls(folds, Evaluation.from_dict(content["pooled"]))

    def to_dict(self) -> dict[str, Any]:
        """Return the content as plain data for JSON."""
        return asdict(self)
