from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from spinealign.metrics.novelty import NoveltyStatistics, fit_novelty, rejection_limit


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6))
    return np.concatenate([rng.normal(size=(300, 6)) @ mixing, rng.normal(size=(300, 6)) @ mixing + 40])


def test_the_distance_is_mahalanobis_to_the_nearest_group(features):
    groups = ["a"] * 300 + ["b"] * 300
    residuals = np.concatenate([part - part.mean(axis=0) for part in (features[:300], features[300:])])
    precision = np.linalg.inv(LedoitWolf(assume_centered=True).fit(residuals).covariance_)
    probe = features[5] + 3.0
    expected = min(
        np.sqrt((probe - part.mean(axis=0)) @ precision @ (probe - part.mean(axis=0)))
        for part in (features[:300], features[300:])
    )
    assert fit_novelty(features, groups).distance(probe[None])[0] == pytest.approx(expected, rel=1e-4)


def test_training_distances_are_about_the_root_of_the_features(features):
    statistics = fit_novelty(features, ["a"] * 300 + ["b"] * 300)
    assert np.sqrt((statistics.distance(features) ** 2).mean()) == pytest.approx(np.sqrt(6), rel=0.05)
    between = features.mean(axis=0)[None]
    assert statistics.distance(between)[0] > statistics.distance(features).max()


def test_one_mean_for_two_groups_accepts_what_is_between_them(features):
    between = features.mean(axis=0)[None]
    assert fit_novelty(features, ["all"] * 600).distance(between)[0] < 0.1


def test_a_constant_feature_gives_finite_distances(features):
    constant = np.concatenate([features, np.ones((600, 1))], axis=1)
    assert np.isfinite(fit_novelty(constant, ["a"] * 600).distance(constant)).all()


@pytest.mark.parametrize(("means", "whitening"), [((2, 3), (3, 4)), ((2, 3), (2, 2)), ((3,), (3, 3))])
def test_statistics_of_different_shapes_are_refused(means, whitening):
    with pytest.raises(ValueError, match="do not match"):
        NoveltyStatistics(np.zeros(means, np.float32), np.zeros(whitening, np.float32))


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        NoveltyStatistics(np.full((1, 2), np.nan, np.float32), np.eye(2, dtype=np.float32))


def test_one_image_is_not_enough():
    with pytest.raises(ValueError, match="two images"):
        fit_novelty(np.zeros((1, 4)), ["a"])


def test_copies_of_a_source_do_not_decide_the_limit():
    distances = np.concatenate([np.full(80, 9.0), np.arange(1.0, 20.0)])
    weights = np.concatenate([np.full(80, 1 / 80), np.ones(19)])
    assert rejection_limit(distances, weights=weights, share=0.05) == 18.5
    assert rejection_limit(distances, weights=np.ones(99), share=0.05) == 15.5
