from __future__ import annotations

import numpy as np
import pytest

from spinealign.evaluation.operating_point import sensitivity_offset


def called(log_odds, positive, **wanted):
    return np.asarray(log_odds) + sensitivity_offset(np.asarray(log_odds), np.asarray(positive), **wanted) >= 0


def test_the_wanted_sensitivity_is_reached_and_no_finding_more_is_called():
    rng = np.random.default_rng(0)
    positive = rng.random(400) < 0.5
    log_odds = rng.normal(size=400) + 2 * positive
    for wanted in (0.8, 0.95, 1.0):
        right = called(log_odds, positive, sensitivity=wanted, collections=["a"] * 400)[positive]
        assert wanted <= right.mean() < wanted + 1 / positive.sum()


def test_every_collection_reaches_it():
    log_odds, positive = [9.0, 8.0, 7.0, 2.0, 1.0, 0.0], [True, True, False, True, True, False]
    names = ["easy"] * 3 + ["hard"] * 3
    assert called(log_odds, positive, sensitivity=1.0, collections=names).tolist() == [True] * 5 + [False]
    assert called(log_odds, positive, sensitivity=0.5, collections=names).tolist() == [True] * 4 + [False] * 2


@pytest.mark.parametrize("sensitivity", [0.0, 1.1, float("nan")])
def test_an_impossible_sensitivity_is_refused(sensitivity):
    with pytest.raises(ValueError, match="sensitivity"):
        sensitivity_offset(np.zeros(2), np.array([True, False]), sensitivity=sensitivity, collections=["a"] * 2)
