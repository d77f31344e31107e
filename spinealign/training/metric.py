"""The scores of each epoch as a metric of `evaluate`; it needs no network, unlike `evaluate.load`."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import numpy as np

from spinealign.metrics.scores import binary_scores


class FractureScores(evaluate.Metric):
    """The scores of `evaluation.metrics` with `fracture` as the positive class."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Scores of a binary classifier of slices.",
            citation="",
            inputs_description="predictions: probability of a fracture; references: 1 where there is one, else 0.",
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("int64")}
            ),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        scores = binary_scores(np.asarray(references) == 1, np.asarray(predictions)).to_dict()
        return {name: float("nan") if value is None else value for name, value in scores.items()}
