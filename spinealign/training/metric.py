"""Scores of an epoch as a metric of `evaluate`, which works offline, unlike `evaluate.load`."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import numpy as np

from spinealign.labels import Target
from spinealign.metrics.scores import target_scores


class TargetScores(evaluate.Metric):
    """All scores of `metrics.registry` for the labels of a target."""

    def __init__(self, target: Target, **kwargs: Any) -> None:
        self._target = target
        super().__init__(**kwargs)

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Scores of a classifier of images.",
            citation="",
            inputs_description="predictions: logits of each image; references: code of each label, or -1 if missing.",
            features=datasets.Features(
                {
                    "predictions": datasets.Sequence(datasets.Value("float64")),
                    "references": datasets.Sequence(datasets.Value("int64")),
                }
            ),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        codes = np.asarray(references).T
        scores = target_scores(list(codes), self._target.probabilities(np.asarray(predictions)), target=self._target)
        return {name: float("nan") if value is None else value for name, value in scores.items()}
