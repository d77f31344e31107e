from __future__ import annotations

import math

import pytest

from spinealign.training.metric import BinaryScores


def test_the_metric_works_offline():
    scores = BinaryScores(keep_in_memory=True).compute(predictions=[0.9, 0.8, 0.3, 0.1], references=[1, 1, 1, 0])
    assert scores["sensitivity"] == pytest.approx(2 / 3)
    assert scores["specificity"] == 1
    assert scores["auroc"] == 1


def test_an_undefined_score_is_nan():
    scores = BinaryScores(keep_in_memory=True).compute(predictions=[0.1, 0.2], references=[0, 0])
    assert math.isnan(scores["sensitivity"])
