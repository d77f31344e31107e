"""VGG16 as in the original system: frozen convolutions and a dense head."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedConfig

from spinealign.networks.classifier import StackedClassifier

_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions of each block


class Vgg16Config(PreTrainedConfig):
    """Configuration of a `Vgg16Classifier`. The defaults are those of the original system.

    Attributes:
        num_channels: Channels of the input.
        image_size: Height and width of the input in pixels, at least 32.
        hidden_size: Units of the dense layer.
        dropout: Fraction of these units that is dropped in training.
        freeze: Train only the dense layers and keep the convolutions fixed.
    """

    model_type = "spinealign-vgg16"

    num_channels: int = 3
    image_size: int = 224
    hidden_size: int = 1024
    dropout: float = 0.5
    freeze: bool = True


class Vgg16Classifier(StackedClassifier):
    """VGG16 convolutions (Simonyan and Zisserman, ICLR 2015), then one dense layer and one logit."""

    config_class = Vgg16Config

    def __init__(self, config: Vgg16Config) -> None:
        layers: list[nn.Module] = []
        channels = config.num_channels
        for wider, count in _BLOCKS:
            for _ in range(count):
                layers += [nn.Conv2d(channels, wider, kernel_size=3, padding=1), nn.ReLU()]
                channels = wider
            layers.append(nn.MaxPool2d(2))
        side = config.image_size // 2 ** len(_BLOCKS)
        super().__init__(config, nn.Sequential(*layers), flattened=channels * side**2)
        self.features.requires_grad_(not config.freeze)

    def train(self, mode: bool = True) -> Vgg16Classifier:
        """Set the mode, and freeze the convolutions again: `from_pretrained` replaces their parameters."""
        self.features.requires_grad_(not self.config.freeze)
        return super().train(mode)
