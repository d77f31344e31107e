from __future__ import annotations

import numpy as np

from spinealign.evaluation.shortcut import thumbnail, thumbnail_ridge

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
