from __future__ import annotations

import numpy as np
import pytest

from spinealign.config import EnhancementConfig, PreprocessingConfig
from spinealign.imaging.preprocessing import normalize, preprocess, render
from spinealign.inference import prepared
from spinealign.inference.prepared import prepare
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.reading.slices import read_slice


@pytest.mark.parametrize(("denoise", "renders"), [("none", 1), ("median", 2)])
def test_filters_change_the_input_but_not_the_quality_image(denoise, renders, monkeypatch):
    calls = []
    monkeypatch.setattr(prepared, "render", lambda image, config: calls.append(config) or render(image, config))
    config = PreprocessingConfig(window_center=200, window_width=900, denoise=denoise, image_size=96)
    image = draw_phantom(4, size=160).slice
    ready = prepare(image, config)
    np.testing.assert_array_equal(ready.window_gray, render(image, EnhancementConfig(200, 900)))
    np.testing.assert_array_equal(normalize(ready.gray / np.float32(255), config), preprocess(image, config))
    assert len(calls) == renders


def test_white_of_the_settings_scales_images_of_more_than_8_bits():
    gray = render(draw_phantom(4, size=160).slice)
    deep = read_slice(gray.astype(np.uint16) * 16)
    for image in (deep, read_slice(gray)):
        ready = prepare(image, PreprocessingConfig(white=4080))
        np.testing.assert_array_equal(ready.window_gray, gray)
        assert ready.assumed_white is None
    assert prepare(deep, PreprocessingConfig()).assumed_white == 65535
