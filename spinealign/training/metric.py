"""Scores of an epoch as a metric of `evaluate`, which works offline, unlike `evaluate.load`."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import numpy as np

from spinealign.metrics.scores import scores_of
from spinealign.metrics.weighted import WeightedPredictions


class BinaryScores(evaluate.Metric):
    """All scores of `metrics.registry` for a finding and its absence."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Scores of a binary classifier of images.",
            citation="",
            inputs_description="predictions: probability of the finding; references: 1 if it is present, else 0.",
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("int64")}
            ),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        scores = scores_of(WeightedPredictions.binary(np.asarray(references) == 1, np.asarray(predictions)))
        return {name: float("nan") if value is None else value for name, value in scores.items()}
