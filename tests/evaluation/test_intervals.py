from __future__ import annotations

import numpy as np
import pytest

from spinealign.evaluation.intervals import wilson_interval


def test_19_of_20_is_76_to_99_percent():
    assert wilson_interval(0.95, 20) == pytest.approx((0.764, 0.991), abs=0.001)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truths = rng.uniform(0.6, 0.98, 4000)
    intervals = [wilson_interval(right / 40, 40) for right in rng.binomial(40, truths)]
    assert 0.94 <= np.mean([low <= truth <= high for truth, (low, high) in zip(truths, intervals)]) <= 0.96


@pytest.mark.parametrize(("share", "count"), [(1.1, 5), (-0.1, 5), (0.5, 0)])
def test_impossible_counts_are_refused(share, count):
    with pytest.raises(ValueError, match="share"):
        wilson_interval(share, count)
