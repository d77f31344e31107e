from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from spinealign import Predictor
from spinealign.checkpoint.engines import Output
from spinealign.checkpoint.settings import ModelSettings
from spinealign.config import PreprocessingConfig
from spinealign.inference.occlusion import HeatMap
from spinealign.labels import binary_target
from spinealign.phantoms.axial_neck import draw_phantom


class BrightSpotCheckpoint:
    model = name = "bright spot"
    labels = ("normal", "fracture")
    settings = ModelSettings(
        target=binary_target("normal", "fracture"),
        preprocessing=PreprocessingConfig(image_size=64, image_mean=(0.0,), image_std=(1.0,)),
    )
    novelty = None


def bright_spot(pixel_values):
    """Network that predicts a fracture if a known region is bright, so the correct heat map is known."""
    spot = pixel_values[:, 0, 40:46, 12:18].mean(axis=(1, 2))
    return Output(np.stack([np.zeros_like(spot), 8 * spot - 2], axis=1), None)


@pytest.fixture
def predictor():
    return Predictor(BrightSpotCheckpoint, bright_spot)


@pytest.fixture
def image():
    pixels = np.full((64, 64), 20, np.uint8)
    pixels[40:46, 12:18] = 250
    return pixels


def test_the_hottest_place_is_what_the_prediction_depends_on(predictor, image):
    heat_map = predictor.explain(image)
    assert heat_map.label == "fracture"
    assert (heat_map.gray.shape, heat_map.heat.shape) == ((64, 64), (64, 64))
    row, column = heat_map.hottest
    assert abs(row - 43) <= 6
    assert abs(column - 15) <= 6
    assert heat_map.heat.max() == 1
    assert heat_map.heat[:20, 40:].max() < 0.05


def test_a_heat_map_carries_what_its_caption_needs(predictor, image):
    heat_map, prediction = predictor.explain(image, label="normal"), predictor(image)
    assert heat_map.confidence == prediction.probabilities["normal"]
    assert (heat_map.accepted, heat_map.source) == (prediction.accepted, "array") == (False, "array")


def test_a_prediction_that_depends_on_nothing_has_a_cold_map(predictor):
    heat_map = predictor.explain(np.zeros((64, 64), np.uint8))
    assert heat_map.label == "normal"
    assert heat_map.heat.max() == 0


def test_any_class_can_be_explained(predictor):
    assert predictor.explain(np.zeros((64, 64), np.uint8), label="fracture").label == "fracture"


def test_an_unknown_class_is_refused(predictor):
    with pytest.raises(ValueError, match="normal, fracture"):
        predictor.explain(np.zeros((64, 64), np.uint8), label="tumor")


def test_both_engines_compute_the_same_map(tiny_checkpoint):
    image = draw_phantom(3, fractured=True, size=96).slice
    maps = [Predictor.from_pretrained(tiny_checkpoint, engine=engine).explain(image) for engine in ("onnx", "torch")]
    np.testing.assert_allclose(maps[0].heat, maps[1].heat, atol=0.01)


def test_a_saved_heat_map_is_a_color_png(predictor, image, tmp_path):
    heat_map = predictor.explain(image)
    for path in (tmp_path / "maps" / "a.png", str(tmp_path / "b.png")):
        heat_map.save(path)
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert np.ptp(np.asarray(picture.convert("RGB"), int), axis=2).max() > 30


def test_the_repr_shows_no_arrays():
    heat_map = HeatMap(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.float32), "fracture", source="a.png")
    assert repr(heat_map) == "HeatMap(8 x 8 pixels, label='fracture', source='a.png')"
