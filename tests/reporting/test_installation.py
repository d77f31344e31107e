from __future__ import annotations

from importlib.metadata import version

from spinealign.checkpoint.finding import find_checkpoint
from spinealign.reporting.installation import describe


def test_versions_engine_and_model_are_described(tiny_checkpoint):
    content = describe(find_checkpoint(tiny_checkpoint), "onnx")
    assert content["spinealign"] == version("spinealign")
    assert content["engine"] == "onnx"
    assert content["weights"].startswith("model.onnx, ")
    assert (content["problem type"], content["classes"]) == ("binary", "normal, fracture (positive: fracture)")
    assert content["trained on"] == "phantoms"
    assert content["input"].startswith("64 x 64 pixels")


def test_the_engine_is_torch_if_requested(tiny_checkpoint):
    assert describe(find_checkpoint(tiny_checkpoint), "torch")["engine"] == "torch"


def test_each_of_several_labels_is_described(models_of_every_kind):
    content = describe(find_checkpoint(models_of_every_kind["mixed"]), "onnx")
    assert content["problem type"] == "mixed"
    assert content["classes of pfirrmann"] == "1, 2, 3 (ordinal)"
    assert content["classes of narrowing"] == "no, yes (positive: yes)"
    assert content["calibration of pfirrmann"] == "temperature 1.500; not calibrated"
    assert content["calibration of narrowing"] == "temperature 1.500, operating point 0.3000; not calibrated"
