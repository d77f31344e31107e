"""Conformal intervals on simulated errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spinealign.metrics.conformal import IntervalRule, cross_fitted_half_widths, fit_interval
from spinealign.serialization import rebuild, to_plain


def simulated(count: int, *, informative: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals with heavy tails, and disagreements that may follow their scale."""
    scale = rng.gamma(2.0, 1.0, count)
    residuals = scale * rng.standard_t(4, count)
    disagreements = (scale if informative else rng.permutation(scale)) * np.abs(rng.normal(size=count))
    return residuals, disagreements


@pytest.mark.parametrize("informative", [True, False])
def test_new_images_are_covered_at_the_level(informative: bool) -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(60):
        rule = fit_interval(*simulated(400, informative=informative, rng=rng))
        residuals, disagreements = simulated(400, informative=informative, rng=rng)
        covered.append(np.mean(np.abs(residuals) <= rule.base + rule.slope * disagreements))

    assert np.mean(covered) == pytest.approx(0.9, abs=0.01)
    assert np.min(covered) > 0.83


def test_an_informative_disagreement_makes_intervals_shorter() -> None:
    rng = np.random.default_rng(1)
    residuals, disagreements = simulated(2000, informative=True, rng=rng)
    folds = rng.integers(3, size=2000)
    half = cross_fitted_half_widths(residuals, disagreements, folds=folds)
    blind = cross_fitted_half_widths(residuals, np.zeros(2000), folds=folds)

    for widths in (half, blind):
        assert np.mean(np.abs(residuals) <= widths) == pytest.approx(0.9, abs=0.02)
    assert half.mean() < blind.mean()


def test_coverage_of_a_fold_with_larger_errors_is_lower() -> None:
    rng = np.random.default_rng(2)
    folds = np.arange(600) % 3
    residuals = np.where(folds == 0, 5, 1) * rng.normal(size=600)
    half = cross_fitted_half_widths(residuals, np.zeros(600), folds=folds)

    assert np.mean(np.abs(residuals) <= half) < 0.85


def test_the_rule_has_the_quantile_for_finite_samples() -> None:
    rule = fit_interval(np.arange(1.0, 20.0), np.zeros(19), level=0.9)

    assert rule == IntervalRule(level=0.9, base=18.0, slope=0.0, images=19)
    assert rule.interval(5.0, 0.0) == (0.0, 23.0)


def test_a_rule_survives_json() -> None:
    rule = fit_interval(*simulated(50, informative=True, rng=np.random.default_rng(3)))

    assert rebuild(IntervalRule, json.loads(json.dumps(to_plain(rule)))) == rule


@pytest.mark.parametrize(
    ("residuals", "disagreements", "message"),
    [
        (np.ones(8), np.ones(8), "needs more than 8 images"),
        (np.ones(20), np.ones(19), "finite residuals"),
        (np.ones(20), -np.ones(20), "finite residuals"),
        (np.full(20, np.nan), np.ones(20), "finite residuals"),
    ],
)
def test_unusable_residuals_are_refused(residuals: np.ndarray, disagreements: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_interval(residuals, disagreements)
