"""CNN of the original system, trained from random weights."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedConfig

from spinealign.networks.classifier import StackedClassifier

_CHANNELS = (64, 128, 256)


class CnnConfig(PreTrainedConfig):
    """Configuration of a `CnnClassifier`. The defaults are those of the original system.

    Attributes:
        num_channels: Channels of the input.
        image_size: Height and width of the input in pixels, at least 22.
        hidden_size: Units of the dense layer.
        dropout: Fraction of these units that is dropped in training.
    """

    model_type = "spinealign-cnn"

    num_channels: int = 3
    image_size: int = 256
    hidden_size: int = 512
    dropout: float = 0.5


class CnnClassifier(StackedClassifier):
    """Three convolutions without padding, each followed by pooling, then one dense layer and one logit.

    Nearly all of the 118 million parameters are weights of the dense layer.
    """

    config_class = CnnConfig

    def __init__(self, config: CnnConfig) -> None:
        layers: list[nn.Module] = []
        channels, side = config.num_channels, config.image_size
        for wider in _CHANNELS:
            layers += [nn.Conv2d(channels, wider, kernel_size=3), nn.ReLU(), nn.MaxPool2d(2)]
            channels, side = wider, (side - 2) // 2
        super().__init__(config, nn.Sequential(*layers), flattened=channels * side**2)
