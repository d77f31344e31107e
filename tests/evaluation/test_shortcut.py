from __future__ import annotations

import numpy as np

from spinealign.evaluation.shortcut import thumbnail, thumbnail_ridge, thumbnail_ridge_folds

RNG = np.random.default_rng(0)
POSITIVE = np.arange(200) % 2 == 0


def test_the_probe_reads_a_label_off_the_brightness():
    images = RNG.integers(0, 100, (200, 64, 64)) + 60 * POSITIVE[:, None, None]
    features = np.stack([thumbnail(image.astype(np.uint8)) for image in images])
    assert features.shape == (200, 256)
    assert thumbnail_ridge(features[:100], POSITIVE[:100], test=features[100:], test_positive=POSITIVE[100:]) > 0.98


def test_the_probe_is_at_chance_on_noise():
    features = RNG.random((200, 256))
    assert (
        0.3 < thumbnail_ridge(features[:100], POSITIVE[:100], test=features[100:], test_positive=POSITIVE[100:]) < 0.7
    )


def test_folds_do_not_reward_remembering_copies():
    sources = np.repeat(np.arange(40), 5)
    features = RNG.random((40, 256))[sources] + 0.01 * RNG.random((200, 256))  # copies of noise
    positive = sources % 2 == 0
    assert thumbnail_ridge(features[::2], positive[::2], test=features[1::2], test_positive=positive[1::2]) > 0.95
    assert 0.2 < thumbnail_ridge_folds(features, positive, groups=sources.tolist()) < 0.8


def test_folds_read_a_label_off_the_brightness():
    features = RNG.random((200, 256)) + 0.5 * POSITIVE[:, None]
    assert thumbnail_ridge_folds(features, POSITIVE, groups=range(200)) > 0.95
