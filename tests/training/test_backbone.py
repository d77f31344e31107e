from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from spinealign.checkpoint.files import file_path
from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.checkpoint.settings import ModelSettings
from spinealign.config import EnhancementConfig
from spinealign.errors import CheckpointError
from spinealign.labels import binary_target
from spinealign.networks.original import Vgg16Classifier, Vgg16Config
from spinealign.training.arguments import ModelArguments
from spinealign.training.backbone import create_backbone
from spinealign.training.saving import save_network

TARGET = binary_target("normal", "fracture")


def test_the_embedded_model_can_be_trained_further():
    network, preprocessing = create_backbone(ModelArguments("spinealign/default"), TARGET)
    stored = load_file(file_path(DEFAULT_FOLDER, "model.safetensors"))
    name = "vit.embeddings.patch_embeddings.projection.weight"
    assert torch.equal(network.state_dict()[name], stored[name].float())
    assert preprocessing.image_size == 224


def test_the_body_is_pretrained_and_the_head_is_new(tiny_backbone):
    network, _ = create_backbone(ModelArguments(str(tiny_backbone)), TARGET)
    assert network.config.id2label == {0: "normal", 1: "fracture"}
    assert network.classifier.weight.shape == (2, 32)
    stored = load_file(tiny_backbone / "model.safetensors")
    name = next(key for key in stored if key.endswith("cls_token"))
    torch.testing.assert_close(network.vit.embeddings.cls_token, stored[name])


def test_from_scratch_uses_only_the_architecture(tiny_backbone):
    torch.manual_seed(1)
    scratch, _ = create_backbone(ModelArguments(str(tiny_backbone), from_scratch=True), TARGET)
    pretrained, _ = create_backbone(ModelArguments(str(tiny_backbone)), TARGET)
    assert not torch.equal(scratch.vit.embeddings.cls_token, pretrained.vit.embeddings.cls_token)


def test_damaged_weights_are_a_typed_error(tmp_path, tiny_backbone):
    folder = shutil.copytree(tiny_backbone, tmp_path / "backbone")
    (folder / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        create_backbone(ModelArguments(str(folder)), TARGET)


@pytest.mark.parametrize("name", ["nothing-here", "spinealign/there-is-no-such-model"])
def test_a_missing_backbone_is_a_typed_error(name):
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        create_backbone(ModelArguments(name), TARGET)


def test_a_catalog_name_from_scratch_needs_no_download():
    network, preprocessing = create_backbone(ModelArguments("resnet18", from_scratch=True), TARGET)
    assert network.config.id2label == {0: "normal", 1: "fracture"}
    assert preprocessing.image_size == 224
    assert preprocessing.image_mean == pytest.approx((0.485, 0.456, 0.406))


def test_own_networks_set_the_image_size_and_keep_filters():
    with torch.device("meta"):
        network, preprocessing = create_backbone(
            ModelArguments("cnn", from_scratch=True), TARGET, enhancement=EnhancementConfig(denoise="median")
        )
    assert (preprocessing.image_size, preprocessing.denoise) == (256, "median")
    assert network.config.label2id == {"normal": 0, "fracture": 1}


def test_random_convolutions_are_not_frozen():
    with torch.device("meta"):
        network, _ = create_backbone(ModelArguments("vgg16", from_scratch=True), TARGET)
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert network.config.freeze is False


def test_a_timm_folder_gives_frozen_convolutions_and_a_new_head(tmp_path):
    source = Vgg16Classifier(Vgg16Config(hidden_size=1)).features.state_dict()
    save_file({f"features.{name}": tensor for name, tensor in source.items()}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"architecture": "vgg16"}')
    network, preprocessing = create_backbone(ModelArguments(str(tmp_path)), TARGET)
    assert network.config.freeze is True
    for name, tensor in network.features.state_dict().items():
        torch.testing.assert_close(tensor, source[name], msg=name)
    assert preprocessing.image_size == 224


@pytest.mark.parametrize("name", ["vgg16", "densenet121", "resnet50"])
def test_unavailable_weights_suggest_a_folder_or_from_scratch(name):
    with pytest.raises(CheckpointError, match=r"Pass a folder.*from_scratch"):
        create_backbone(ModelArguments(name), TARGET)


@pytest.mark.parametrize("name", ["cnn", "thumbnail_ridge"])
def test_a_name_without_pretrained_weights_needs_from_scratch(name):
    with pytest.raises(CheckpointError, match="Use from_scratch"):
        create_backbone(ModelArguments(name), TARGET)


def test_a_checkpoint_of_an_own_class_can_be_trained_further(tmp_path):
    network, preprocessing = create_backbone(ModelArguments("thumbnail_ridge", from_scratch=True), TARGET)
    save_network(
        tmp_path,
        network,
        settings=ModelSettings(target=binary_target("normal", "fracture"), preprocessing=preprocessing),
    )
    again, _ = create_backbone(ModelArguments(str(tmp_path)), TARGET)
    torch.testing.assert_close(again.classifier.linear.weight, network.classifier.linear.weight)
