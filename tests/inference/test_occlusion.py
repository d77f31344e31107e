from __future__ import annotations

import numpy as np
import pytest

from spinealign import Predictor
from spinealign.checkpoint.engines import Output
from spinealign.config import ConditioningConfig, ModelSettings
from spinealign.phantoms.axial_neck import draw_phantom


class BrightSpotCheckpoint:
    model = "bright spot"
    labels = ("normal", "fracture")
    settings = ModelSettings(ConditioningConfig(image_size=64, image_mean=(0.0,), image_std=(1.0,)))
    novelty = None


def bright_spot(pixel_values):
    """A network that calls a fracture where one known place is bright: the truth of its heat map is known."""
    spot = pixel_values[:, 0, 40:46, 12:18].mean(axis=(1, 2))
    return Output(np.stack([np.zeros_like(spot), 8 * spot - 2], axis=1), None)


def test_the_hottest_place_is_what_the_answer_rests_on():
    image = np.full((64, 64), 20, np.uint8)
    image[40:46, 12:18] = 250
    explained = Predictor(BrightSpotCheckpoint, bright_spot).explain(image)
    assert explained.label == "fracture"
    assert (explained.gray.shape, explained.heat.shape) == ((64, 64), (64, 64))
    row, column = explained.hottest
    assert abs(row - 43) <= 6
    assert abs(column - 15) <= 6
    assert explained.heat.max() == 1
    assert explained.heat[:20, 40:].max() < 0.05


def test_an_answer_that_rests_on_nothing_has_a_cold_map():
    explained = Predictor(BrightSpotCheckpoint, bright_spot).explain(np.zeros((64, 64), np.uint8))
    assert explained.label == "normal"
    assert explained.heat.max() == 0


def test_any_class_can_be_explained_and_an_unknown_one_is_refused():
    predictor = Predictor(BrightSpotCheckpoint, bright_spot)
    assert predictor.explain(np.zeros((64, 64), np.uint8), label="fracture").label == "fracture"
    with pytest.raises(ValueError, match="knows normal, fracture"):
        predictor.explain(np.zeros((64, 64), np.uint8), label="tumor")


def test_both_engines_draw_the_same_map(tiny_checkpoint):
    image = draw_phantom(3, fractured=True, size=96).slice
    maps = [Predictor.from_pretrained(tiny_checkpoint, engine=engine).explain(image) for engine in ("onnx", "torch")]
    np.testing.assert_allclose(maps[0].heat, maps[1].heat, atol=0.01)
