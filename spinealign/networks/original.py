"""Networks of the original system: a CNN, and VGG16 with frozen convolutions, both with a dense layer and one logit."""

from __future__ import annotations

import torch
from torch import nn

from spinealign.networks.classifier import Classifier, ClassifierConfig, make_head


class CnnConfig(ClassifierConfig):
    """Configuration of a `CnnClassifier`. The defaults are those of the original system.

    Attributes:
        image_size: Height and width of the input in pixels, at least 22.
        hidden_size: Units of the dense layer.
        dropout: Fraction of these units that is dropped in training.
    """

    model_type = "spinealign-cnn"

    image_size: int = 256
    hidden_size: int = 512
    dropout: float = 0.5


class Vgg16Config(CnnConfig):
    """Configuration of a `Vgg16Classifier`. The defaults are those of the original system.

    Attributes:
        image_size: Height and width of the input in pixels, at least 32.
        hidden_size: Units of the dense layer.
        freeze: Train only the dense layers and keep the convolutions fixed.
    """

    model_type = "spinealign-vgg16"

    image_size: int = 224
    hidden_size: int = 1024
    freeze: bool = True


class StackedClassifier(Classifier):
    """Blocks of convolutions and pooling, flattening, a dense layer with dropout, and one logit.

    Attributes:
        blocks: Channels and number of convolutions of each block.
        padding: Padding of the convolutions in pixels.
    """

    blocks: tuple[tuple[int, int], ...]
    padding: int

    def __init__(self, config: CnnConfig) -> None:
        super().__init__(config)
        layers: list[nn.Module] = []
        channels, side = config.num_channels, config.image_size
        for wider, count in self.blocks:
            for _ in range(count):
                layers += [nn.Conv2d(channels, wider, kernel_size=3, padding=self.padding), nn.ReLU()]
                channels, side = wider, side + 2 * self.padding - 2
            layers.append(nn.MaxPool2d(2))
            side //= 2
        self.features = nn.Sequential(*layers)
        self.dense = nn.Linear(channels * side**2, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = make_head(config.hidden_size, config)
        self.post_init()

    def states(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the feature map after each pooling layer, and the output of the dense layer."""
        state, maps = pixel_values, []
        for layer in self.features:
            state = layer(state)
            if isinstance(layer, nn.MaxPool2d):
                maps.append(state)
        return (*maps, self.dropout(torch.relu(self.dense(state.flatten(1)))))


class CnnClassifier(StackedClassifier):
    """Three convolutions without padding, each followed by pooling, then one dense layer and one logit.

    Nearly all of the 118 million parameters are weights of the dense layer.
    """

    config_class = CnnConfig
    blocks = ((64, 1), (128, 1), (256, 1))
    padding = 0


class Vgg16Classifier(StackedClassifier):
    """VGG16 convolutions (Simonyan and Zisserman, ICLR 2015), then one dense layer and one logit."""

    config_class = Vgg16Config
    blocks = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
    padding = 1

    def __init__(self, config: Vgg16Config) -> None:
        super().__init__(config)
        self.features.requires_grad_(not config.freeze)

    def train(self, mode: bool = True) -> Vgg16Classifier:
        """Set the mode, and freeze the convolutions again: `from_pretrained` replaces their parameters."""
        self.features.requires_grad_(not self.config.freeze)
        return super().train(mode)
