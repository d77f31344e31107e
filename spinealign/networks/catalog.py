"""Named backbones: those of the original system, and those considered by its authors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from transformers import ConvNextV2Config, MobileNetV2Config, ResNetConfig, ViTConfig

from spinealign.networks.classifier import Classifier
from spinealign.networks.densenet import DenseNet121Classifier, DenseNet121Config
from spinealign.networks.original import CnnClassifier, CnnConfig, Vgg16Classifier, Vgg16Config
from spinealign.networks.thumbnail import ThumbnailClassifier, ThumbnailConfig


@dataclass(frozen=True)
class Backbone:
    """A named architecture.

    Attributes:
        shape: Function that returns the configuration of transformers, without a download. Keywords set further
            attributes.
        hub_id: Hub repository of the ImageNet weights; None if there are none.
        image_size: Height and width of the input in pixels.
        network: Class of the network, if transformers does not have it.
    """

    shape: Callable[..., Any]
    hub_id: str | None
    image_size: int = 224
    network: type[Classifier] | None = None


BACKBONES = {  # by the value of `--backbone`
    "cnn": Backbone(CnnConfig, None, image_size=256, network=CnnClassifier),
    "vgg16": Backbone(Vgg16Config, "timm/vgg16.tv_in1k", network=Vgg16Classifier),
    "densenet121": Backbone(DenseNet121Config, "timm/densenet121.tv_in1k", network=DenseNet121Classifier),
    "resnet18": Backbone(
        partial(ResNetConfig, depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512], layer_type="basic"),
        "microsoft/resnet-18",
    ),
    "resnet50": Backbone(ResNetConfig, "microsoft/resnet-50"),
    "mobilenet_v2": Backbone(MobileNetV2Config, "google/mobilenet_v2_1.0_224"),
    "convnextv2_atto": Backbone(
        partial(ConvNextV2Config, depths=[2, 2, 6, 2], hidden_sizes=[40, 80, 160, 320]),
        "facebook/convnextv2-atto-1k-224",
    ),
    "deit_tiny": Backbone(
        partial(ViTConfig, hidden_size=192, num_attention_heads=3, intermediate_size=768),
        "facebook/deit-tiny-patch16-224",
    ),
    "thumbnail_ridge": Backbone(ThumbnailConfig, None, network=ThumbnailClassifier),
}
