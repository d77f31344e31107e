from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from spinealign import Slice
from spinealign.config import EnhancementConfig, PreprocessingConfig
from spinealign.imaging.preprocessing import apply_window, preprocess, render


def test_window_maps_its_ends_to_black_and_white():
    windowed = apply_window(np.array([-1000.0, -450.0, 300.0, 1050.0, 3000.0]), center=300, width=1500)
    np.testing.assert_allclose(windowed, [0, 0, 0.5, 1, 1])


def test_window_width_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        apply_window(np.zeros(1), center=0, width=0)


def test_only_hounsfield_units_are_windowed():
    values = np.array([[0.0, 200.0]])
    assert render(Slice(values)).tolist() == [[0, 200]]
    windowed = render(Slice(values, unit="HU"), EnhancementConfig(window_center=100, window_width=200))
    assert windowed.tolist() == [[0, 255]]


@pytest.mark.parametrize("shape", [(512, 512), (224, 224), (48, 40)])
def test_default_input_equals_that_of_transformers(shape):
    from transformers import ViTImageProcessorPil

    rng = np.random.default_rng(0)
    gray = rng.integers(0, 256, shape).astype(np.uint8)
    processor = ViTImageProcessorPil(
        resample=3,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
        size={"height": 224, "width": 224},
    )
    expected = processor(Image.fromarray(gray).convert("RGB"), return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(preprocess(Slice(gray), PreprocessingConfig()), expected, atol=1e-5)


@pytest.mark.parametrize("method", ["gaussian", "median", "wavelet"])
def test_denoising_reduces_noise_and_keeps_the_scene(method):
    rng = np.random.default_rng(0)
    scene = np.full((64, 64), 60.0)
    scene[16:48, 16:48] = 180
    noisy = np.clip(scene + rng.normal(0, 20, scene.shape), 0, 255)
    cleaned = render(Slice(noisy), EnhancementConfig(denoise=method)).astype(float)
    assert np.abs(cleaned - scene).mean() < 0.75 * np.abs(noisy - scene).mean()


@pytest.mark.parametrize("method", ["histogram", "clahe"])
def test_equalization_increases_contrast(method):
    rng = np.random.default_rng(0)
    low_contrast = np.clip(rng.normal(100, 6, (64, 64)), 0, 255)
    equalized = render(Slice(low_contrast), EnhancementConfig(equalize=method))
    assert equalized.std() > 2 * low_contrast.std()
    assert equalized.dtype == np.uint8
