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
        name: Value of `--backbone`.
        shape: Function that returns the configuration of transformers, without a download. Keywords set further
            attributes.
        hub_id: Hub repository of the ImageNet weights; None if there are none.
        image_size: Height and width of the input in pixels.
        network: Class of the network, if transformers does not have it.
    """

    name: str
    shape: Callable[..., Any]
    hub_id: str | None
    image_size: int = 224
    network: type[Classifier] | None = None

    @property
    def is_own(self) -> bool:
        """Whether the class of the network is from this package, not from transformers."""
        return self.network is not None


_ALL = (
    Backbone("cnn", CnnConfig, None, image_size=256, network=CnnClassifier),
    Backbone("vgg16", Vgg16Config, "timm/vgg16.tv_in1k", network=Vgg16Classifier),
    Backbone("densenet121", DenseNet121Config, "timm/densenet121.tv_in1k", network=DenseNet121Classifier),
    Backbone(
        "resnet18",
        partial(ResNetConfig, depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512], layer_type="basic"),
        "microsoft/resnet-18",
    ),
    Backbone("resnet50", ResNetConfig, "microsoft/resnet-50"),
    Backbone("mobilenet_v2", MobileNetV2Config, "google/mobilenet_v2_1.0_224"),
    Backbone(
        "convnextv2_atto",
        partial(ConvNextV2Config, depths=[2, 2, 6, 2], hidden_sizes=[40, 80, 160, 320]),
        "facebook/convnextv2-atto-1k-224",
    ),
    Backbone(
        "deit_tiny",
        partial(ViTConfig, hidden_size=192, num_attention_heads=3, intermediate_size=768),
        "facebook/deit-tiny-patch16-224",
    ),
    Backbone("thumbnail_ridge", ThumbnailConfig, None, network=ThumbnailClassifier),
)
BACKBONES = {backbone.name: backbone for backbone in _ALL}
