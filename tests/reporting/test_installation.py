from __future__ import annotations

from importlib.metadata import version

from spinealign.checkpoint.finding import find_checkpoint
from spinealign.reporting.installation import describe


def test_versions_engine_and_model_are_described(tiny_checkpoint):
    content = describe(find_checkpoint(tiny_checkpoint), "onnx")
    assert content["spinealign"] == version("spinealign")
    assert content["engine"] == "onnx"
    assert content["weights"].startswith("model.onnx, ")
    assert content["classes"] == "normal, fracture"
    assert content["trained on"] == "phantoms"
    assert content["input"].startswith("64 x 64 pixels")


def test_the_engine_is_torch_if_requested(tiny_checkpoint):
    assert describe(find_checkpoint(tiny_checkpoint), "torch")["engine"] == "torch"
