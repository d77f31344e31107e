from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from spinealign.cohort.file_properties import PROPERTIES, measure_file


def png(pixels: np.ndarray) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_properties_are_those_of_the_file():
    pixels = np.zeros((32, 48), np.uint8)
    pixels[2:-2, 2:-2] = 200
    content = png(pixels)
    values = dict(zip(PROPERTIES, measure_file(content, pixels), strict=True))
    assert (values["height"], values["width"], values["channels"]) == (32, 48, 1)
    assert values["file size"] == pytest.approx(len(content) / 1024)
    assert values["brightness"] == pytest.approx(pixels.mean())
    assert values["border brightness"] == 0
    assert values["black"] == pytest.approx((pixels == 0).mean())
    assert values["sharpness"] > 100


def test_a_color_file_has_three_channels():
    gray = np.zeros((24, 24), np.uint8)
    channels = list(PROPERTIES).index("channels")
    assert measure_file(png(np.stack([gray] * 3, axis=-1)), gray)[channels] == 3


def test_a_single_pixel_can_be_measured():
    pixels = np.full((1, 1), 9, np.uint8)
    assert np.isfinite(measure_file(png(pixels), pixels)).all()
