"""Network that tells the kind of an image and its orientation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

STAGES = (16, 24, 40, 56)


class ImageKindConfig(PreTrainedConfig):
    """Configuration of an `ImageKindNetwork`.

    Attributes:
        kinds: Number of kinds.
        turns: Number of orientations.
        dropout: Share of the features that are dropped in training.
    """

    model_type = "spinealign-image-kind"
    kinds: int = 4
    turns: int = 8
    dropout: float = 0.2


@dataclass
class ImageKindOutput(ModelOutput):
    """Output of an `ImageKindNetwork`: float32 of shapes (N, kinds) and (N, turns)."""

    kind_logits: torch.Tensor | None = None
    turn_logits: torch.Tensor | None = None


def _convolution(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.relu(features + self.second(self.first(features)))


class ImageKindNetwork(PreTrainedModel):
    """Residual network of about 0.13 million parameters with one head for the kind and one for the orientation."""

    config_class = ImageKindConfig
    main_input_name = "pixel_values"

    def __init__(self, config: ImageKindConfig) -> None:
        super().__init__(config)
        stages = [_convolution(1, STAGES[0], kernel=5, stride=2)]
        for inputs, outputs in pairwise(STAGES):
            stages.append(nn.Sequential(_convolution(inputs, outputs, stride=2), _Residual(outputs)))
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(config.dropout)
        self.kinds = nn.Linear(2 * STAGES[-1], config.kinds)
        self.turns = nn.Linear(9 * STAGES[-1], config.turns)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Keep the initial weights of torch."""

    def forward(self, pixel_values: torch.Tensor) -> ImageKindOutput:
        """Return the logits for images of shape (N, 1, 80, 80)."""
        maps = self.stages(pixel_values)
        pooled = torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
        places = functional.avg_pool2d(maps, 3, stride=1).flatten(1)
        return ImageKindOutput(self.kinds(self.dropout(pooled)), self.turns(self.dropout(places)))
