"""Shortcut baseline as a network, so that it can be trained, served and explained like the others."""

from __future__ import annotations

import torch
from torch import nn

from spinealign.networks.classifier import Classifier, ClassifierConfig, make_head

_SIDE = 16


class ThumbnailConfig(ClassifierConfig):
    """Configuration of a `ThumbnailClassifier`."""

    model_type = "spinealign-thumbnail"


class ThumbnailClassifier(Classifier):
    """A linear model on gray thumbnails of 16x16 pixels, too small to show detail.

    Trained with weight decay, it is the logistic counterpart of the ridge regression in `metrics.shortcut`, which is
    part of every evaluation.
    """

    config_class = ThumbnailConfig

    def __init__(self, config: ThumbnailConfig) -> None:
        super().__init__(config)
        self.thumbnail = nn.AdaptiveAvgPool2d(_SIDE)
        self.classifier = make_head(_SIDE**2, config)
        self.post_init()

    def states(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the intensities of the thumbnails, shape (N, 256)."""
        return (self.thumbnail(pixel_values.mean(dim=1, keepdim=True)).flatten(1),)
