from __future__ import annotations

import numpy as np
import pytest

from spinealign.metrics.agreement import (
    angle_errors,
    circular_error,
    class_kappa,
    estimate,
    symmetric_error,
    weighted_mean,
)

ONCE = np.ones((1, 2))
REFERENCE = np.array([[40.0, 20.0, 20.0], [10.0, 5.0, 5.0]])


def test_the_symmetric_error_is_a_mean_over_films():
    measured = REFERENCE + np.array([[8, 0, -8], [0, 0, 5]])
    assert symmetric_error(measured, REFERENCE, weights=ONCE) == pytest.approx(100 * (16 / 160 + 5 / 45) / 2)
    assert symmetric_error(np.zeros((2, 3)), np.zeros((2, 3)), weights=ONCE) == 0


def test_the_circular_error_is_nearly_the_mean_error():
    differences = np.array([1.0, -3.0, 8.0])
    error = circular_error(30 + differences, np.full(3, 30.0), weights=np.ones((1, 3)))
    assert error == pytest.approx(4, abs=0.01)
    assert circular_error(np.array([359.0, 1.0]), np.zeros(2), weights=ONCE) == pytest.approx(0, abs=1e-9)


def test_the_limits_of_agreement_are_those_of_bland_and_altman():
    difference = np.array([-2.0, 0.0, 1.0, 5.0])
    errors = angle_errors(20 + difference, np.full(4, 20.0), weights=np.array([[1.0, 1, 1, 1], [1, 0, 0, 3]]))
    spread = 1.96 * difference.std(ddof=1)
    assert {name: first for name, (first, _) in errors.items()} == pytest.approx(
        {"mean_error": 2, "p90_error": 5, "bias": 1, "lower_limit": 1 - spread, "upper_limit": 1 + spread}
    )
    copies = np.array([-2.0, 5.0, 5.0, 5.0])
    assert errors["mean_error"][1] == pytest.approx(4.25)
    assert errors["upper_limit"][1] == pytest.approx(3.25 + 1.96 * copies.std(ddof=1))


def test_the_kappa_of_classes_weighs_their_distance():
    reference, borders = np.array([5.0, 10.0, 39.9, 40.0]), (10, 25, 40)  # one film in each class
    assert class_kappa(
        np.array([0.0, 24.9, 25.0, 39.0]), reference, weights=np.ones((1, 4)), borders=borders
    ) == pytest.approx(1 - 1 / 8)
    assert class_kappa(reference, reference, weights=np.ones((1, 4)), borders=borders) == 1
    assert np.isnan(class_kappa(reference, np.full(4, 50.0), weights=np.ones((1, 4)), borders=borders))


def test_the_interval_of_copies_is_that_of_their_groups():
    errors = np.random.default_rng(1).gamma(2, size=40)

    def mean(of):
        return lambda weights: {"mean": weighted_mean(of, weights), "undefined": np.full(len(weights), np.nan)}

    single = estimate(mean(errors), [str(number) for number in range(40)])
    copies = estimate(mean(np.repeat(errors, 5)), [str(number) for number in range(40) for _ in range(5)])
    assert list(single) == list(copies) == ["mean"]
    low, high = single["mean"].low, single["mean"].high
    assert (copies["mean"].low, copies["mean"].high) == pytest.approx((low, high)), "copies add no information"
    assert high - low == pytest.approx(2 * 1.96 * errors.std() / 40**0.5, rel=0.15)
