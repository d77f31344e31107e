from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.labels import binary_target
from spinealign.training.arguments import ModelArguments
from spinealign.training.backbone import create_backbone
from spinealign.training.export import export_onnx

TARGET = binary_target("normal", "fracture")


@pytest.fixture(scope="module")
def exported(tmp_path_factory, tiny_backbone):
    """A network in training mode, and its ONNX file."""
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    network, _ = create_backbone(ModelArguments(str(tiny_backbone)), TARGET)
    network.train()
    export_onnx(network, path, image_size=64)
    return network, path


def test_the_graph_gives_logits_and_features_for_any_batch(exported):
    network, path = exported
    session = onnxruntime.InferenceSession(path)
    for count in (1, 3):
        pixel_values = torch.randn(count, 3, 64, 64)
        logits, features = session.run(["logits", "features"], {"pixel_values": pixel_values.numpy()})
        with torch.no_grad():
            states = network(pixel_values=pixel_values, output_hidden_states=True).hidden_states
            expected = states[1].mean(dim=1)  # the first of two layers
            np.testing.assert_allclose(features, expected.numpy(), atol=1e-4)
            np.testing.assert_allclose(logits, network(pixel_values=pixel_values).logits.numpy(), atol=1e-4)


def test_the_file_contains_no_paths_of_the_machine(exported):
    for path in (exported[1], DEFAULT_FOLDER / "model.onnx"):
        content = path.read_bytes()
        assert b"site-packages" not in content
        assert b".py" not in content


def test_an_export_leaves_the_network_in_training_mode(exported):
    assert all(module.training for module in exported[0].modules())
