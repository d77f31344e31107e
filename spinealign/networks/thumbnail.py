"""The shortcut probe as a network, so that it can be trained, served and explained like any other."""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedConfig

from spinealign.networks.classifier import Classifier, LogOddsHead

_SIDE = 16


class ThumbnailConfig(PreTrainedConfig):
    """Shape of a `ThumbnailClassifier`.

    Attributes:
        num_channels: Channels of the input, which all show the same gray image.
    """

    model_type = "spinealign-thumbnail"

    num_channels: int = 3


class ThumbnailClassifier(Classifier):
    """A linear model on gray thumbnails of 16x16 pixels, too few for any fracture.

    Trained with weight decay, it is the logistic sibling of `evaluation.shortcut.thumbnail_ridge`, whose exact solution
    stands beside every evaluation.
    """

    config_class = ThumbnailConfig

    def __init__(self, config: ThumbnailConfig) -> None:
        super().__init__(config)
        self.thumbnail = nn.AdaptiveAvgPool2d(_SIDE)
        self.classifier = LogOddsHead(_SIDE**2)
        self.post_init()

    def states(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the gray levels of the thumbnails, shape (N, 256)."""
        return (self.thumbnail(pixel_values.mean(dim=1, keepdim=True)).flatten(1),)
