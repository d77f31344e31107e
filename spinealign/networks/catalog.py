"""The backbones that have a name: those of the original system, and those that its authors considered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from transformers import ConvNextV2Config, MobileNetV2Config, ResNetConfig, ViTConfig

from spinealign.networks.cnn import CnnConfig
from spinealign.networks.densenet import DenseNet121Config
from spinealign.networks.thumbnail import ThumbnailConfig
from spinealign.networks.vgg import Vgg16Config


@dataclass(frozen=True)
class Backbone:
    """An architecture by name.

    Attributes:
        name: What `--backbone` calls it.
        shape: Makes its configuration, without any download; takes further attributes by keyword.
        hub_id: Where its ImageNet weights lie; None if there are none.
        image_size: Height and width of its input in pixels.
        note: What it is.
    """

    name: str
    shape: Callable[..., Any]
    hub_id: str | None
    image_size: int = 224
    note: str = ""

    @property
    def is_own(self) -> bool:
        """Whether its class is one of this room, which transformers does not have."""
        return str(self.shape().model_type).startswith("spinealign-")


_ALL = (
    Backbone("cnn", CnnConfig, None, 256, "scratch CNN of the original system"),
    Backbone("vgg16", Vgg16Config, "timm/vgg16.tv_in1k", note="VGG16 with the dense head of the original system"),
    Backbone("densenet121", DenseNet121Config, "timm/densenet121.tv_in1k", note="DenseNet121 by MONAI"),
    Backbone(
        "resnet18",
        partial(ResNetConfig, depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512], layer_type="basic"),
        "microsoft/resnet-18",
        note="ResNet-18",
    ),
    Backbone("resnet50", ResNetConfig, "microsoft/resnet-50", note="ResNet-50"),
    Backbone("mobilenet_v2", MobileNetV2Config, "google/mobilenet_v2_1.0_224", note="MobileNetV2"),
    Backbone(
        "convnextv2_atto",
        partial(ConvNextV2Config, depths=[2, 2, 6, 2], hidden_sizes=[40, 80, 160, 320]),
        "facebook/convnextv2-atto-1k-224",
        note="ConvNeXt V2 atto",
    ),
    Backbone(
        "deit_tiny",
        partial(ViTConfig, hidden_size=192, num_attention_heads=3, intermediate_size=768),
        "facebook/deit-tiny-patch16-224",
        note="DeiT-tiny, the shape of ViT-tiny",
    ),
    Backbone("thumbnail_ridge", ThumbnailConfig, None, note="linear model on 16x16 thumbnails"),
)
BACKBONES = {backbone.name: backbone for backbone in _ALL}
