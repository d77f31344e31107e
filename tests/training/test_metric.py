from __future__ import annotations

import math

import pytest

from spinealign.labels import Label, Target, binary_target
from spinealign.training.metric import TargetScores


def test_the_metric_works_offline():
    metric = TargetScores(binary_target("normal", "fracture"), keep_in_memory=True)
    logits = [[0.0, 2.0], [0.0, 1.0], [1.0, 0.0], [2.0, 0.0]]
    scores = metric.compute(predictions=logits, references=[[1], [1], [1], [0]])
    assert scores["sensitivity"] == pytest.approx(2 / 3)
    assert scores["specificity"] == 1
    assert scores["auroc"] == 1


def test_missing_values_of_a_label_are_not_scored():
    labels = Label("arch", "binary", ("no", "yes"), "yes"), Label("grade", "ordinal", ("0", "1"))
    metric = TargetScores(Target("mixed", labels), keep_in_memory=True)
    scores = metric.compute(predictions=[[2.0, 1.0, 0.0], [2.0, 0.0, 1.0]], references=[[1, 0], [-1, 0]])
    assert (scores["arch_accuracy"], scores["grade_accuracy"], scores["accuracy"]) == (1, 0.5, 0.75)
    assert math.isnan(scores["arch_specificity"]), "an undefined score"
