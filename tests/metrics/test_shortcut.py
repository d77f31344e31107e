from __future__ import annotations

import numpy as np

from spinealign.metrics.folds import source_folds
from spinealign.metrics.shortcut import fold_calls, thumbnail, thumbnail_ridge_calls

RNG = np.random.default_rng(0)
POSITIVE = (np.arange(200) % 2 == 0).astype(int)


def accuracy(train, train_positive, *, test, test_positive):
    return (thumbnail_ridge_calls(train, train_positive, test=test) == test_positive).mean()


def accuracy_over_folds(features, positive, groups):
    return (fold_calls(features, positive, fold=source_folds([positive], groups)) == positive).mean()


def test_the_probe_detects_brightness():
    images = RNG.integers(0, 100, (200, 64, 64)) + 60 * POSITIVE[:, None, None]
    features = np.stack([thumbnail(image.astype(np.uint8)) for image in images])
    assert features.shape == (200, 256)
    assert accuracy(features[:100], POSITIVE[:100], test=features[100:], test_positive=POSITIVE[100:]) > 0.98


def test_the_probe_is_at_chance_on_noise():
    features = RNG.random((200, 256))
    assert 0.3 < accuracy(features[:100], POSITIVE[:100], test=features[100:], test_positive=POSITIVE[100:]) < 0.7


def test_folds_do_not_reward_memorized_copies():
    sources = np.repeat(np.arange(40), 5)
    features = RNG.random((40, 256))[sources] + 0.01 * RNG.random((200, 256))  # copies of noise
    positive = (sources % 2 == 0).astype(int)
    assert accuracy(features[::2], positive[::2], test=features[1::2], test_positive=positive[1::2]) > 0.95
    assert 0.2 < accuracy_over_folds(features, positive, sources.tolist()) < 0.8


def test_the_probe_detects_brightness_over_folds():
    features = RNG.random((200, 256)) + 0.5 * POSITIVE[:, None]
    assert accuracy_over_folds(features, POSITIVE, range(200)) > 0.95


def test_a_rare_class_is_still_detected():
    positive = (np.arange(4000) % 20 == 0).astype(int)
    features = RNG.random((4000, 256)) + 0.1 * positive[:, None]
    calls = thumbnail_ridge_calls(features[:2000], positive[:2000], test=features[2000:])
    assert calls[positive[2000:] == 1].mean() > 0.8
    assert calls[positive[2000:] == 0].mean() < 0.2
