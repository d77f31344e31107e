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
from spinealign.page.about import describe_model
from spinealign.page.answers import Row

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def predictor(tmp_path):
    """Model with hostile class names, run by an engine without weights."""

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


def test_text_from_models_and_files_is_escaped(predictor):
    prediction = predictor(np.zeros((64, 64), np.uint8))
    shown = [
        markup.finding(prediction, predictor),
        markup.batch([Row(EVIL, prediction), Row(EVIL, error=EVIL)], total=2),
        markup.failure(EVIL),
        describe_model(predictor),
    ]
    for text in shown:
        assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown[0]


def test_a_rejected_image_keeps_its_numbers_with_a_warning(predictor):
    prediction = Prediction("a", 0.8, {"a": 0.8, "b": 0.2}, "m", accepted=False, rejection_reasons=("too dark",))
    shown = markup.finding(prediction, predictor)
    for part in ('data-accepted="false"', "Not accepted", "too dark", "Do not rely on this result", "80.0%", "20.0%"):
        assert part in shown


def test_other_classes_have_no_operating_point(predictor):
    prediction = Prediction("a", 0.8, {"a": 0.8, "b": 0.2}, "m")
    assert "Classified as" not in markup.finding(prediction, predictor)


@pytest.mark.parametrize(
    ("size", "shape"), [((40, 20), "aspect-ratio:40/20;width:100%"), ((20, 40), "20/40;height:100%")]
)
def test_an_image_keeps_its_aspect_ratio(size, shape):
    assert shape in markup.view(Image.new("L", size))


def test_a_model_without_measured_scores_says_so(predictor):
    assert "no measured scores" in describe_model(predictor)


def test_scores_are_shown_with_sources_intervals_and_ridge(toy_model):
    shown = describe_model(Predictor.from_pretrained(toy_model))
    for part in (
        "99.00 %",
        "82.0 to 100.0 %",
        "97.5 to 99.8 %",
        "96.75 %",
        ">20<",
        "does not show that a model recognizes",
    ):
        assert part in shown
