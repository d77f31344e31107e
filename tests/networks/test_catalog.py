from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from transformers import AutoModelForImageClassification

from spinealign.networks.catalog import BACKBONES


@lru_cache
def meta_network(name, **attributes):
    """Return a network on the meta device, where tensors have shapes but no values."""
    with torch.device("meta"):
        return AutoModelForImageClassification.from_config(BACKBONES[name].shape(**attributes))


def count(network, *, trained=False):
    return sum(item.numel() for item in network.parameters() if item.requires_grad or not trained)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("cnn", 118_336_641),
        ("vgg16", 40_406_849),
        ("densenet121", 6_955_906),  # 7,978,856 with ImageNet's 1,000 classes (Huang et al. 2017)
        ("resnet18", 11_177_538),
        ("resnet50", 23_512_130),
        ("mobilenet_v2", 2_226_434),
        ("convnextv2_atto", 3_388_042),
        ("deit_tiny", 5_524_802),
        ("thumbnail_ridge", 257),
    ],
)
def test_number_of_parameters_is_as_published(name, parameters):
    assert count(meta_network(name)) == parameters


def test_vgg16_convolutions_are_frozen_by_default():
    assert count(meta_network("vgg16"), trained=True) == 25_692_161
    assert count(meta_network("vgg16").features) == 14_714_688
    assert count(meta_network("vgg16", freeze=False), trained=True) == 40_406_849


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_returns_two_logits_at_its_image_size(name):
    side = BACKBONES[name].image_size
    pixel_values = torch.empty(1, 3, side, side, device="meta")
    assert meta_network(name)(pixel_values=pixel_values).logits.shape == (1, 2)
    assert getattr(meta_network(name).config, "image_size", side) == side
