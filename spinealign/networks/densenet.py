"""DenseNet121 of MONAI."""

from __future__ import annotations

import torch
from torch import nn

from spinealign.networks.classifier import Classifier, ClassifierConfig


class DenseNet121Config(ClassifierConfig):
    """Configuration of a `DenseNet121Classifier`."""

    model_type = "spinealign-densenet121"


class DenseNet121Classifier(Classifier):
    """DenseNet121 (Huang et al., CVPR 2017): convolutions, global average pooling, and a linear head."""

    config_class = DenseNet121Config

    def __init__(self, config: DenseNet121Config) -> None:
        super().__init__(config)
        from monai.networks.nets import DenseNet121  # importing MONAI takes seconds

        network = DenseNet121(spatial_dims=2, in_channels=config.num_channels, out_channels=config.num_labels)
        self.features = network.features
        self.classifier = network.class_layers.out
        self.post_init()

    def states(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the feature map after each dense block, and the average of the last one, shape (N, 1024)."""
        state, maps = pixel_values, []
        for name, layer in self.features.named_children():
            state = layer(state)
            if name.startswith("denseblock"):
                maps.append(state)
        return (*maps, nn.functional.relu(state).mean(dim=(2, 3)))
