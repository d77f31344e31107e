from __future__ import annotations

import pytest

from spinealign.config import EnhancementConfig, PreprocessingConfig


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"window_width": 0}, "window_width"),
        ({"white": 0.0}, "white must be positive"),
        ({"denoise": "magic"}, "none, gaussian, median, wavelet"),
        ({"equalize": "magic"}, "none, histogram, clahe"),
        ({"image_size": 0}, "image_size"),
        ({"image_mean": (0.5,)}, "each channel"),
        ({"image_std": (0.0, 1.0, 1.0)}, "positive"),
    ],
)
def test_settings_out_of_range_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        PreprocessingConfig(**changes)


def test_a_center_crop_is_replaced_by_a_resize_to_its_size():
    preprocessor = {"size": 256, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}}
    assert PreprocessingConfig.from_preprocessor(preprocessor).image_size == 224
    assert PreprocessingConfig.from_preprocessor({"size": 160, "do_normalize": False}).image_std == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("change", [{"size": {"height": 224, "width": 384}}, {"do_rescale": False}])
def test_a_preprocessor_that_cannot_be_followed_is_refused(change):
    with pytest.raises(ValueError, match=r"not square|gray levels"):
        PreprocessingConfig.from_preprocessor(change)


@pytest.mark.parametrize("size", [{"height": 160, "width": 160}, {"shortest_edge": 160}, 160])
def test_a_preprocessor_of_transformers_is_read(size):
    preprocessor = {"size": size, "image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1], "resample": 2}
    config = PreprocessingConfig.from_preprocessor(preprocessor, EnhancementConfig(denoise="median"))
    assert (config.image_size, config.image_mean, config.resample) == (160, (0.1, 0.2, 0.3), 2)
    assert config.denoise == "median"


def test_a_preprocessor_without_an_image_size_is_refused():
    with pytest.raises(ValueError, match="image input"):
        PreprocessingConfig.from_preprocessor({"size": {"longest_edge": 4}})
