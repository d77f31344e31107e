from __future__ import annotations

import numpy as np
import pytest

from spinealign.training.augmentation import Augmentation, AugmentationConfig

OFF = {"rotation_deg": 0.0, "shift": 0.0, "zoom": 0.0, "shear": 0.0, "flip": False, "noise": 0.0, "contrast": 0.0}
IMAGE = np.add.outer(np.linspace(0, 0.5, 64), np.linspace(0, 0.4, 64)).astype(np.float32)
IMAGE[20:30, 40:50] = 1.0


def changes(config):
    augment = Augmentation(config, 64)
    return [augment(IMAGE, seed) for seed in range(12)]


def test_an_image_is_unchanged_if_everything_is_off():
    for changed in changes(AugmentationConfig(**OFF)):
        np.testing.assert_array_equal(changed, IMAGE)


@pytest.mark.parametrize(
    ("switch", "value"),
    [("rotation_deg", 15.0), ("shift", 0.1), ("zoom", 0.2), ("shear", 0.2), ("flip", True), ("noise", 0.05),
     ("contrast", 0.3)],
)  # fmt: skip
def test_each_augmentation_can_be_enabled_separately(switch, value):
    changed = changes(AugmentationConfig(**{**OFF, switch: value}))
    assert any(not np.array_equal(image, IMAGE) for image in changed)
    assert all(image.shape == IMAGE.shape and image.min() >= 0 and image.max() <= 1 for image in changed)
    if switch == "flip":
        assert any(np.array_equal(image, IMAGE[:, ::-1]) for image in changed)


def test_the_result_depends_only_on_image_and_seed():
    augment = Augmentation(AugmentationConfig(), 64)
    first = augment(IMAGE, 5)
    augment(IMAGE, 6)
    np.testing.assert_array_equal(augment(IMAGE, 5), first)
    assert not np.array_equal(augment(IMAGE, 6), first)
