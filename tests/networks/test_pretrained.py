from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageClassification

from spinealign.errors import CheckpointError
from spinealign.networks.catalog import BACKBONES
from spinealign.networks.pretrained import find_backbone, load_imagenet_features


def timm_folder(folder, architecture, tensors):
    """Write a folder as timm publishes it: weights with its tensor names, and its own kind of configuration."""
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({"architecture": architecture, "num_classes": 1000}))
    return folder


@pytest.fixture(scope="session")
def timm_vgg16(tmp_path_factory):
    """Folder in the layout of `timm/vgg16.tv_in1k`, with a distinct constant in each convolution."""
    channels = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    positions = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    tensors = {}
    for number, (position, narrow, wide) in enumerate(zip(positions, channels, channels[1:])):
        tensors[f"features.{position}.weight"] = torch.full((wide, narrow, 3, 3), number / 100)
        tensors[f"features.{position}.bias"] = torch.full((wide,), -number / 100)
    tensors |= {"pre_logits.fc1.bias": torch.zeros(4096), "head.fc.bias": torch.zeros(1000)}
    return timm_folder(tmp_path_factory.mktemp("timm") / "vgg16", "vgg16", tensors)


def create(name):
    shape = {"vgg16": {"hidden_size": 1}}.get(name, {})
    return AutoModelForImageClassification.from_config(BACKBONES[name].shape(**shape))


def test_backbone_is_found_by_name_hub_id_and_folder(tmp_path, timm_vgg16, tiny_backbone):
    for name in ("vgg16", "timm/vgg16.tv_in1k", str(timm_vgg16)):
        assert find_backbone(name) is BACKBONES["vgg16"]
    assert find_backbone(str(tiny_backbone)) is None
    assert find_backbone(str(tmp_path)) is None
    assert find_backbone("somebody/something") is None


def test_vgg16_loads_all_convolutions_of_timm(timm_vgg16):
    network = create("vgg16")
    load_imagenet_features(network, str(timm_vgg16))
    stored = load_file(timm_vgg16 / "model.safetensors")
    for name, tensor in network.features.state_dict().items():
        torch.testing.assert_close(tensor, stored[f"features.{name}"])


def test_densenet121_loads_all_tensors_of_timm(tmp_path):
    source, network = create("densenet121"), create("densenet121")
    for name, tensor in source.features.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_()
    tensors = {
        f"features.{name.replace('.layers.', '.')}": tensor
        for name, tensor in source.features.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm1.running_mean" in tensors, "a tensor name of timm"
    folder = timm_folder(tmp_path / "densenet121", "densenet121", tensors)
    load_imagenet_features(network, str(folder))
    for name, tensor in source.features.state_dict().items():
        torch.testing.assert_close(network.features.state_dict()[name], tensor, msg=name)


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_weights_that_do_not_fit_raise(tmp_path, timm_vgg16, change):
    tensors = load_file(timm_vgg16 / "model.safetensors")
    if change == "missing":
        del tensors["features.28.bias"]
    else:
        tensors["features.30.weight"] = torch.zeros(1)
    folder = timm_folder(tmp_path / "vgg16", "vgg16", tensors)
    with pytest.raises(CheckpointError, match=r"features\.(28\.bias|30\.weight)"):
        load_imagenet_features(create("vgg16"), str(folder))
