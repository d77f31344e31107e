from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from spinealign import Predictor
from spinealign.checkpoint.engines import Output
from spinealign.checkpoint.finding import find_checkpoint
from spinealign.inference.prediction import Prediction
from spinealign.page import markup
from spinealign.page.about import about
from spinealign.page.answers import Row

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def predictor(tmp_path):
    """A model whose texts are hostile, run by an engine without weights."""

    class Even:
        name = "onnx"

        def __call__(self, pixel_values):
            return Output(np.zeros((len(pixel_values), 2), np.float32), None)

    folder = tmp_path / EVIL.replace("/", "")
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": EVIL, "1": "**fracture**"}}))
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": 32}))
    (folder / "model.onnx").write_bytes(b"none")
    return Predictor(find_checkpoint(folder), Even())


def test_no_text_of_a_model_or_file_becomes_markup(predictor):
    prediction = predictor(np.zeros((64, 64), np.uint8))
    shown = [
        markup.finding(prediction, predictor),
        markup.batch([Row(EVIL, prediction), Row(EVIL, error=EVIL)], predictor, total=2),
        markup.failure(EVIL),
        about(predictor),
    ]
    for text in shown:
        assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown[0]


def test_a_rejected_image_keeps_its_numbers_marked_as_not_to_be_relied_on(predictor):
    prediction = Prediction("a", 0.8, {"a": 0.8, "b": 0.2}, "m", accepted=False, rejection_reasons=("too dark",))
    shown = markup.finding(prediction, predictor)
    for part in ('data-accepted="false"', "Not accepted", "too dark", "Not to be relied on", "80.0%", "20.0%"):
        assert part in shown


def test_other_classes_have_no_operating_point(predictor):
    prediction = Prediction("a", 0.8, {"a": 0.8, "b": 0.2}, "m")
    assert "is called from" not in markup.finding(prediction, predictor)


@pytest.mark.parametrize(
    ("size", "shape"), [((40, 20), "aspect-ratio:40/20;width:100%"), ((20, 40), "20/40;height:100%")]
)
def test_an_image_keeps_its_shape(size, shape):
    assert shape in markup.view(Image.new("L", size))


def test_a_model_without_measured_numbers_says_so(predictor):
    assert "brings no measured numbers" in about(predictor)


def test_the_numbers_of_a_model_stand_with_sources_interval_and_ridge(toy_model):
    shown = about(Predictor.from_pretrained(toy_model))
    for part in ("99.00 %", "82.0 to 100.0 %", "97.5 to 99.8 %", "96.75 %", ">20<", "says nothing about fractures"):
        assert part in shown
