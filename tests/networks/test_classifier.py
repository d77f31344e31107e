"""Tests of all networks, with small configurations."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import AutoConfig, AutoModelForImageClassification

from spinealign.checkpoint.engines import load_network
from spinealign.networks.catalog import BACKBONES
from spinealign.networks.classifier import LogOddsHead
from spinealign.networks.features import logits_and_features
from spinealign.training.export import export_onnx

SIDE = 64
SMALL = {
    "cnn": {"image_size": SIDE, "hidden_size": 8},
    "vgg16": {"image_size": SIDE, "hidden_size": 8},
    "densenet121": {},
    "resnet18": {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 32, 64]},
    "resnet50": {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 32, 64]},
    "mobilenet_v2": {"depth_multiplier": 0.35},
    "convnextv2_atto": {"depths": [1, 1, 1, 1]},
    "thumbnail_ridge": {},
}
OWN = [name for name in SMALL if BACKBONES[name].network]
FAST = {"cnn", "vgg16", "thumbnail_ridge"}  # the export of many layers takes seconds


def random_network(name):
    """Return a network whose biases and running statistics differ from their initial values."""
    torch.manual_seed(0)
    network = AutoModelForImageClassification.from_config(BACKBONES[name].shape(**SMALL[name])).train()
    with torch.no_grad():
        for _ in range(3):
            network(pixel_values=1 + torch.randn(4, 3, SIDE, SIDE))
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


def assert_onnx_equals_torch(network, path):
    session = onnxruntime.InferenceSession(path)
    for images in (1, 3):
        pixel_values = torch.randn(images, 3, SIDE, SIDE)
        with torch.no_grad():
            expected = logits_and_features(network, pixel_values)
        logits, features = session.run(["logits", "features"], {"pixel_values": pixel_values.numpy()})
        np.testing.assert_allclose(logits, expected[0].numpy(), atol=1e-4)
        np.testing.assert_allclose(features, expected[1].numpy(), atol=1e-3, rtol=1e-4)
        assert features.shape[0] == images
        assert features.ndim == 2


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in SMALL])
def test_torch_and_onnx_give_the_same_outputs(tmp_path, name):
    network = random_network(name)
    export_onnx(network, tmp_path / "model.onnx", image_size=SIDE)
    assert_onnx_equals_torch(network, tmp_path / "model.onnx")


def test_bfloat16_weights_give_the_same_outputs_in_onnx(tmp_path):
    network = random_network("cnn").to(torch.bfloat16).to(torch.float32)
    export_onnx(network, tmp_path / "model.onnx", image_size=SIDE, weights_dtype="bfloat16")
    assert_onnx_equals_torch(network, tmp_path / "model.onnx")
    stored = {tensor.data_type for tensor in onnx.load(tmp_path / "model.onnx").graph.initializer}
    assert onnx.TensorProto.BFLOAT16 in stored
    float32_bytes = 4 * sum(parameter.numel() for parameter in network.parameters())
    assert (tmp_path / "model.onnx").stat().st_size < 0.6 * float32_bytes


@pytest.mark.parametrize("name", [*OWN, "resnet18"])
def test_every_tensor_survives_saving_and_strict_loading(tmp_path, name):
    network = random_network(name)
    network.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    restored = load_network(tmp_path)
    assert type(restored) is type(network)
    expected, found = network.state_dict(), restored.state_dict()
    assert expected.keys() == found.keys()
    for key, tensor in expected.items():
        torch.testing.assert_close(found[key], tensor, rtol=0, atol=0, msg=key)
    counters = [tensor for key, tensor in found.items() if key.endswith("num_batches_tracked")]
    assert all(tensor == 3 for tensor in counters)
    assert bool(counters) == (name in ("densenet121", "resnet18"))


def test_loaded_vgg16_has_frozen_convolutions(tmp_path):
    random_network("vgg16").save_pretrained(tmp_path)
    restored = load_network(tmp_path)
    assert not any(parameter.requires_grad for parameter in restored.features.parameters())
    assert all(parameter.requires_grad for parameter in restored.dense.parameters())


@pytest.mark.parametrize("name", OWN)
def test_auto_classes_know_each_network(name):
    config = BACKBONES[name].shape()
    assert type(AutoConfig.for_model(config.model_type)) is type(config)


@pytest.mark.parametrize("name", ["cnn", "thumbnail_ridge"])
def test_loss_is_the_binary_cross_entropy(name):
    network, labels = random_network(name), torch.tensor([0, 1, 1])
    output = network(pixel_values=torch.randn(3, 3, SIDE, SIDE), labels=labels)
    log_odds = output.logits[:, 1]
    expected = torch.nn.functional.binary_cross_entropy(torch.sigmoid(log_odds), labels.float())
    torch.testing.assert_close(output.loss, expected)


def test_softmax_of_two_logits_is_the_sigmoid_of_one():
    head, features = LogOddsHead(5), torch.randn(7, 5)
    probability = torch.softmax(head(features), dim=1)[:, 1]
    torch.testing.assert_close(probability, torch.sigmoid(head.linear(features))[:, 0])


def test_dropout_is_active_only_in_training():
    network, pixel_values = random_network("cnn"), torch.randn(2, 3, SIDE, SIDE)
    first, second = (network(pixel_values=pixel_values).logits for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    network.train()
    first, second = (network(pixel_values=pixel_values).logits for _ in range(2))
    assert not torch.equal(first, second)


def test_thumbnail_network_uses_the_shortcut_thumbnail():
    from spinealign.metrics.shortcut import thumbnail

    gray = np.random.default_rng(0).integers(0, 256, size=(SIDE, SIDE), dtype=np.uint8)
    pixel_values = torch.from_numpy(gray / np.float32(255)).expand(1, 3, SIDE, SIDE)
    (features,) = random_network("thumbnail_ridge").states(pixel_values)
    np.testing.assert_allclose(features[0].numpy(), thumbnail(gray), atol=1 / 255)  # Pillow rounds to integers


@pytest.mark.parametrize("name", OWN)
def test_own_networks_have_an_output_for_each_class_or_label(name):
    with torch.device("meta"):
        for outputs, kind in ((3, "single_label_classification"), (2, "multi_label_classification")):
            config = BACKBONES[name].shape(**SMALL[name], num_labels=outputs, problem_type=kind)
            network = AutoModelForImageClassification.from_config(config).eval()
            assert network(pixel_values=torch.zeros(4, 3, SIDE, SIDE)).logits.shape == (4, outputs)


def test_the_loss_of_a_multi_label_network_has_a_term_for_each_output():
    config = BACKBONES["thumbnail_ridge"].shape(num_labels=2, problem_type="multi_label_classification")
    network = AutoModelForImageClassification.from_config(config)
    labels = torch.tensor([[1, 1], [0, 1]])
    output = network(pixel_values=torch.randn(2, 3, SIDE, SIDE), labels=labels)
    expected = -(torch.where(labels == 1, 1, -1) * output.logits).sigmoid().log().mean()
    torch.testing.assert_close(output.loss, expected)
