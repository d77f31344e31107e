from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from spinealign.errors import CheckpointError
from spinealign.networks.sagittal import SagittalConfig, SagittalNetwork, load_sagittal_network
from spinealign.training.export import export_sagittal_network


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SagittalNetwork(SagittalConfig(width=0.25)).eval()


def test_maps_have_the_size_of_the_input(network):
    with torch.no_grad():
        assert network(torch.zeros(2, 1, 64, 96)).maps.shape == (2, 5, 64, 96)


def test_a_network_survives_its_folder(network, tmp_path):
    network.save_pretrained(tmp_path)
    loaded = load_sagittal_network(tmp_path)
    assert loaded.config.width == 0.25
    state = network.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())


def test_weights_without_a_tensor_are_refused(network, tmp_path):
    network.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["segmenter.head.weight"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"do not fit its configuration: segmenter\.head\.weight"):
        load_sagittal_network(tmp_path, name="model")


def test_damaged_weights_are_refused_by_name(network, tmp_path):
    network.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="transformers cannot load my model"):
        load_sagittal_network(tmp_path, name="my model")


@pytest.mark.slow
def test_onnx_gives_the_same_maps_for_any_size(network, tmp_path):
    import onnxruntime

    export_sagittal_network(network, tmp_path / "model.onnx", refiner=tmp_path / "refiner.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    rng = np.random.default_rng(0)
    for shape in ((1, 1, 288, 224), (3, 1, 32, 352)):
        image = rng.normal(size=shape).astype(np.float32)
        (maps,) = session.run(["maps"], {"pixel_values": image})
        with torch.no_grad():
            assert maps == pytest.approx(network(torch.from_numpy(image)).maps.numpy(), abs=1e-4)
