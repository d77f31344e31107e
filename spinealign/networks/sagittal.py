"""Network that outlines vertebrae in sagittal MR, and refines their corners.

The segmenter is a U-Net (Ronneberger et al., MICCAI 2015) that computes on a grid of 2 mm and gives maps of 1 mm: its
input is folded into four channels, and its output is unfolded (pixel unshuffle and shuffle; Shi et al., CVPR 2016).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from spinealign.errors import CheckpointError
from spinealign.networks.vertebrae import Refiner

FOLD = 2  # the input is computed on a grid that is this much coarser
WIDTHS = (16, 32, 48, 64, 96)
OUTPUTS = 5
RARE = -2.0  # first logit: most pixels show none of the structures


class SagittalConfig(PreTrainedConfig):
    """Configuration of a `SagittalNetwork`.

    Attributes:
        width: Channels of the segmenter, as a share of `WIDTHS`.
    """

    model_type = "spinealign-sagittal"
    width: float = 1.0


@dataclass
class SagittalOutput(ModelOutput):
    """Output of a `SagittalNetwork`.

    Attributes:
        maps: float32 of shape (N, 5, H, W): logits of `spinealign.cohort.masks.labeled.STRUCTURES`.
        corners: float32 of shape (M, 4, 2): corners in the unit of the crops.
        log_maps: float32 of shape (M, 4, h * w): logarithm of the probability of each place for each corner.
    """

    maps: torch.Tensor | None = None
    corners: torch.Tensor | None = None
    log_maps: torch.Tensor | None = None


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Return two convolutions."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(outputs, outputs),  # instance normalization learns faster than that of batches here
            nn.LeakyReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class Segmenter(nn.Module):
    """U-Net with the maps of five structures."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        widths = [max(8, round(each * width / 8) * 8) for each in WIDTHS]
        self.downs = nn.ModuleList(_block(*each) for each in pairwise([FOLD**2, *widths]))
        self.laterals = nn.ModuleList(nn.Conv2d(below, above, 1) for above, below in pairwise(widths))
        self.ups = nn.ModuleList(_block(each, each) for each in widths[:-1])
        self.head = nn.Conv2d(widths[0], OUTPUTS * FOLD**2, 1)
        nn.init.constant_(self.head.get_parameter("bias"), RARE)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (N, 5, H, W) for images of shape (N, 1, H, W); H and W are multiples of 32."""
        features, skipped = functional.pixel_unshuffle(pixel_values, FOLD), []
        for place, down in enumerate(self.downs):
            features = down(functional.max_pool2d(features, 2) if place else features)
            skipped.append(features)
        for lateral, up, skip in zip(reversed(self.laterals), reversed(self.ups), skipped[-2::-1]):
            larger = functional.interpolate(lateral(features), scale_factor=2.0, mode="nearest")
            features = up(skip + larger)
        return functional.pixel_shuffle(self.head(features), FOLD).float()


class SagittalNetwork(PreTrainedModel):
    """A segmenter and a refiner, which are trained one after the other."""

    config_class = SagittalConfig
    main_input_name = "pixel_values"

    def __init__(self, config: SagittalConfig) -> None:
        super().__init__(config)
        self.segmenter = Segmenter(config.width)
        self.refiner = Refiner()
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Keep the initial weights of torch."""

    def forward(
        self,
        pixel_values: torch.Tensor | None = None,
        *,
        crops: torch.Tensor | None = None,
        neighbors: torch.Tensor | None = None,
    ) -> SagittalOutput:
        """Run the networks whose input is given.

        Args:
            pixel_values: Input of the segmenter, shape (N, 1, H, W) with H and W multiples of 32.
            crops: Input of the refiner, shape (M, 1, 80, 96), each with mean 0 and standard deviation 1.
            neighbors: The same, shape (M, 8); see `spinealign.imaging.frames.neighbor_features`.
        """
        output = SagittalOutput()
        if pixel_values is not None:
            output.maps = self.segmenter(pixel_values)
        if crops is not None and neighbors is not None:
            output.corners, output.log_maps = self.refiner(crops, neighbors)
        return output


def load_sagittal_network(folder: str | os.PathLike[str], *, name: str | None = None) -> SagittalNetwork:
    """Load the network of a folder in float32, with every tensor; `name` is its name in messages.

    Raises:
        CheckpointError: If a tensor is missing or superfluous, or a file is damaged.
    """
    folder = os.fspath(folder)
    name = name or folder
    try:
        network, report = SagittalNetwork.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # damaged files make transformers raise almost any class
        reason = str(error).replace(folder, name).removesuffix(".")
        raise CheckpointError(f"transformers cannot load {name}: {reason}.") from error
    if wrong := [str(key) for keys in report.values() for key in keys]:
        raise CheckpointError(f"The weights of {name} do not fit its configuration: {', '.join(wrong[:5])}.")
    loaded: SagittalNetwork = network
    return loaded
