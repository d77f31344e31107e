"""The scratch CNN of the original system."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedConfig

from spinealign.networks.classifier import StackedClassifier

_CHANNELS = (64, 128, 256)


class CnnConfig(PreTrainedConfig):
    """Shape of a `CnnClassifier`; the defaults are those of the original system.

    Attributes:
        num_channels: Channels of the input.
        image_size: Height and width of the input in pixels, at least 22.
        hidden_size: Units of the dense layer.
        dropout: Share of these that is dropped in training.
    """

    model_type = "spinealign-cnn"

    num_channels: int = 3
    image_size: int = 256
    hidden_size: int = 512
    dropout: float = 0.5


class CnnClassifier(StackedClassifier):
    """Three convolutions without padding, each halved by pooling, then one dense layer and one logit.

    Nearly all of its 118 million parameters lie between the flattened map and the dense layer.
    """

    config_class = CnnConfig

    def __init__(self, config: CnnConfig) -> None:
        layers: list[nn.Module] = []
        channels, side = config.num_channels, config.image_size
        for wider in _CHANNELS:
            layers += [nn.Conv2d(channels, wider, kernel_size=3), nn.ReLU(), nn.MaxPool2d(2)]
            channels, side = wider, (side - 2) // 2
        super().__init__(config, nn.Sequential(*layers), flattened=channels * side**2)
