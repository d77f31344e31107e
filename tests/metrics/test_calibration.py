from __future__ import annotations

import numpy as np
import pytest

from spinealign.metrics.calibration import (
    MIN_SOURCES,
    enough_sources,
    fit_temperature,
    operating_point,
    source_weights,
)


def sampled(temperature, count=20_000):
    """Return logits of two classes that are scaled by a factor, and labels drawn from the unscaled ones."""
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, count)
    return logits(true * temperature), (rng.random(count) < 1 / (1 + np.exp(-true))).astype(int)


def logits(log_odds):
    return np.stack([np.zeros_like(log_odds), log_odds], axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_wrong_scale(temperature):
    log_odds, positive = sampled(temperature)
    assert fit_temperature(log_odds, positive) == pytest.approx(temperature, rel=0.06)


def test_copies_of_one_source_do_not_move_the_temperature():
    log_odds, positive = sampled(2.0, 400)
    copies = np.r_[np.arange(400), np.zeros(5_000, int)]
    weights = source_weights(copies.tolist())
    weighted = fit_temperature(log_odds[copies], positive[copies], weights=weights)
    assert weighted == pytest.approx(fit_temperature(log_odds, positive), rel=1e-3)
    assert fit_temperature(log_odds[copies], positive[copies]) != pytest.approx(weighted, rel=0.1)


def test_perfect_or_useless_log_odds_give_no_temperature():
    positive = np.arange(100) < 50
    assert fit_temperature(logits(np.where(positive, 3.0, -3.0)), positive.astype(int)) is None
    assert fit_temperature(logits(np.where(positive, -3.0, 3.0)), positive.astype(int)) is None


def test_the_operating_point_is_the_highest_with_the_sensitivity():
    rng = np.random.default_rng(1)
    positive = rng.random(500) < 0.5
    probability = np.clip(rng.normal(0.35 + 0.3 * positive, 0.2), 0.001, 0.999)
    point = operating_point(probability, positive, sensitivity=0.9)
    assert (probability[positive] >= point).mean() >= 0.9
    lowest_kept = probability[positive & (probability >= point)].min()
    assert (probability[positive] > lowest_kept).mean() < 0.9


def test_an_operating_point_can_weight_sources_equally():
    positive, probability = np.ones(12, bool), np.r_[np.full(10, 0.9), 0.5, 0.2]
    sources = ["copied"] * 10 + ["b", "c"]
    assert operating_point(probability, positive, sensitivity=0.8) == pytest.approx(0.7)
    weights = source_weights(sources)
    assert operating_point(probability, positive, sensitivity=0.8, weights=weights) == pytest.approx(0.1)


@pytest.mark.parametrize("sensitivity", [0.0, -1.0, 1.1])
def test_an_impossible_sensitivity_is_refused(sensitivity):
    with pytest.raises(ValueError, match="sensitivity"):
        operating_point(np.array([0.5]), np.array([True]), sensitivity=sensitivity)


def test_without_positives_there_is_no_operating_point():
    with pytest.raises(ValueError, match="finding"):
        operating_point(np.array([0.5]), np.array([False]), sensitivity=0.9)


def test_enough_sources_counts_sources_of_each_class():
    sources = list(range(2 * MIN_SOURCES))
    positive = np.arange(2 * MIN_SOURCES) < MIN_SOURCES
    assert enough_sources(positive, sources)
    assert not enough_sources(positive[1:], sources[1:])
    assert not enough_sources(np.ones(500, bool), list(range(500)))
    assert not enough_sources(np.arange(100) < 50, [0] * 50 + [1] * 50)
