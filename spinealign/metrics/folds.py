"""Cross-validation in which no source is in two folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import require
from spinealign.labels import MISSING, Target
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.evidence import Evidence
from spinealign.metrics.measuring import evaluate_predictions
from spinealign.serialization import to_plain


def source_folds(
    codes: Sequence[NDArray[np.integer]], sources: Sequence[str | int], *, folds: int = 5, seed: int = 0
) -> NDArray[np.intp]:
    """Split images into folds of similar size and class balance, each source or patient in one fold.

    The classes of all labels together are balanced; combinations with fewer sources than folds count as the most
    frequent one. The classes of each label, or `MISSING`, have the shape (N,), as have the numbers of the folds, from
    0.

    Raises:
        ValueError: If there are fewer than two folds, or no label has two classes with at least as many sources.
        MissingDependencyError: If scikit-learn is not installed.
    """
    _, group = np.unique(np.asarray(sources), return_inverse=True)
    counts = [sorted(len(np.unique(group[of == code])) for code in np.unique(of[of != MISSING])) for of in codes]
    rarer = max((count[-2] if len(count) > 1 else 0 for count in counts), default=0)
    if folds < 2 or rarer < folds:
        raise ValueError(
            f"Expected at least 2 folds and as many distinct sources in two classes, got {folds} folds and {rarer} "
            f"sources in the rarer class. Use {'at least 2' if folds < 2 else 'fewer'} folds or add sources; copies "
            "of a source do not count."
        )
    _, kind = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)
    return balanced_folds(kind.tolist(), group.tolist(), folds=folds, seed=seed)


def balanced_folds(
    kinds: Sequence[str | int], groups: Sequence[str | int], *, folds: int, seed: int
) -> NDArray[np.intp]:
    """Split images into folds with similar shares of each kind, each group in one fold; see `source_folds`.

    Kinds with fewer groups than folds count as the one with the most groups.
    """
    require("sklearn", extra="evaluate")
    from sklearn.model_selection import StratifiedGroupKFold

    counts = Counter(kind for kind, _ in sorted(set(zip(kinds, groups))))
    usual = max(counts, key=counts.__getitem__)
    strata = [kind if counts[kind] >= folds else usual for kind in kinds]
    fold = np.zeros(len(strata), np.intp)
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(strata, strata, groups)
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
        codes: Sequence[NDArray[np.integer]],
        probabilities: Sequence[NDArray[np.floating]],
        *,
        target: Target,
        fold: NDArray[np.intp],
        evidence: Evidence,
        thresholds: Sequence[float] | None = None,
    ) -> CrossValidation:
        """Score held-out predictions, as `evaluate_predictions`; `fold` is from `source_folds`, shape (N,)."""

        def evaluate(members: NDArray[np.bool_], split: str) -> Evaluation:
            return evaluate_predictions(
                [part[members] for part in codes],
                [part[members] for part in probabilities],
                target=target,
                evidence=evidence.part(members, split=split),
                thresholds=thresholds,
            )

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
