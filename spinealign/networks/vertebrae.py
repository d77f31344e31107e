"""Networks that find the corners of vertebrae: a locator on the whole image, and a refiner on crops.

The locator follows CenterNet (Zhou et al., Objects as Points, 2019): each cell of a map, one for `STRIDE` x `STRIDE`
pixels, has a logit of the centers of vertebrae, the offsets to the four corners of its vertebra, and the position of
the vertebra in the chain. The scout is the locator as it was before the inputs of the training became larger; where
both disagree, the image is difficult. The refiner finds each corner in a crop along the axis of a vertebra as the
expected place of a probability map (Sun et al., Integral Human Pose Regression, ECCV 2018).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from spinealign.errors import CheckpointError
from spinealign.imaging.frames import CROP_SHAPE, NEIGHBOR_FEATURES, UNIT

SCALES = (1.0, *(2.0,) * 8, 1.0)  # of the raw outputs: logit, eight offsets in cells, position
MEANS = (-2.2, -2.9, -2.2, 2.9, -2.2, -2.9, 2.2, 2.9, 2.2, 0.0)  # centers are rare; a typical vertebra
CHANNELS = len(SCALES)
STAGES = (16, 32, 48, 80, 128, 128)
PYRAMID = (48, 48, 64, 96)
REFINER = (16, 40, 64, 80)


class VertebraConfig(PreTrainedConfig):
    """Configuration of a `VertebraNetwork`.

    Attributes:
        count: Vertebrae of a whole chain.
        width: Channels of the locators, as a share of `STAGES` and `PYRAMID`.
    """

    model_type = "spinealign-vertebrae"
    count: int = 17
    width: float = 1.0


@dataclass
class VertebraOutput(ModelOutput):
    """Output of a `VertebraNetwork`.

    Attributes:
        maps: float32 of shape (N, 10, H / 4, W / 4): logit of a center, offsets (x, y) in cells to the four corners,
            and position in the chain; see `spinealign.alignment.maps`.
        scout_maps: The same of the scout.
        corners: float32 of shape (M, 4, 2): corners in the unit of the crops.
        log_maps: float32 of shape (M, 4, h * w): logarithm of the probability of each place for each corner.
    """

    maps: torch.Tensor | None = None
    scout_maps: torch.Tensor | None = None
    corners: torch.Tensor | None = None
    log_maps: torch.Tensor | None = None


def _convolution(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    """Two convolutions with a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.relu(features + self.second(self.first(features)))


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    """Return a convolution that halves the size, and residual blocks."""
    return nn.Sequential(_convolution(inputs, outputs, stride=2), *(_Residual(outputs) for _ in range(blocks)))


class _Pyramid(nn.Module):
    """Feature pyramid (Lin et al., CVPR 2017) from the smallest map up to the largest."""

    def __init__(self, channels: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        above = (*widths[1:], channels[-1])
        self.laterals = nn.ModuleList(nn.Conv2d(each, width, 1) for each, width in zip(channels, widths))
        self.downs = nn.ModuleList(nn.Conv2d(each, width, 1) for each, width in zip(above, widths))
        self.smooth = nn.ModuleList(_convolution(width, width) for width in widths)

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        result = maps[-1]
        for level in reversed(range(len(maps) - 1)):
            # a 1 x 1 convolution before the enlargement gives the same as after it, at a quarter of the cost
            larger = functional.interpolate(self.downs[level](result), size=maps[level].shape[-2:], mode="nearest")
            result = self.smooth[level](self.laterals[level](maps[level]) + larger)
        return result


class Locator(nn.Module):
    """Residual encoder down to stride 64, a feature pyramid up to stride 4, and a head with `CHANNELS` outputs."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        first, *stages = (max(8, round(each * width / 8) * 8) for each in STAGES)
        pyramid = [max(8, round(each * width / 8) * 8) for each in PYRAMID]
        self.stem = _convolution(1, first, kernel=5, stride=2)
        blocks = (1, 2, 2, 2, 2)
        self.stages = nn.ModuleList(_stage(*each) for each in zip((first, *stages), stages, blocks))
        self.pyramid = _Pyramid(stages, pyramid)
        self.head = nn.Sequential(nn.Conv2d(pyramid[0], 64, 1), nn.ReLU(inplace=True), nn.Conv2d(64, CHANNELS, 1))

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Return maps of shape (N, 10, H / 4, W / 4) for images of shape (N, 1, H, W)."""
        maps = [self.stem(pixel_values)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        raw = self.head(self.pyramid(maps[1:])).float()
        return raw * raw.new_tensor(SCALES).view(1, -1, 1, 1) + raw.new_tensor(MEANS).view(1, -1, 1, 1)


class Refiner(nn.Module):
    """U-net on the crop of a vertebra with the geometry of its neighbors; it has a probability map for each corner."""

    def __init__(self) -> None:
        super().__init__()
        first, *stages = REFINER
        self.stem = _convolution(1, first, kernel=5, stride=2)
        blocks = (1, 2, 1)
        self.stages = nn.ModuleList(_stage(*each) for each in zip((first, *stages), stages, blocks))
        self.neighbors = nn.Sequential(
            nn.Linear(NEIGHBOR_FEATURES, 32), nn.ReLU(inplace=True), nn.Linear(32, stages[-1])
        )
        self.pyramid = _Pyramid(REFINER, (24, *stages[:-1]))
        self.head = nn.Conv2d(24, 4, 1)

    def forward(self, crops: torch.Tensor, neighbors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return corners (M, 4, 2) and logarithmic maps (M, 4, h * w) for crops and the geometry of neighbors."""
        maps = [self.stem(crops)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        maps[-1] = functional.relu(maps[-1] + self.neighbors(neighbors)[:, :, None, None])
        with torch.autocast(crops.device.type, enabled=False):  # half precision spoils the expected place
            log_maps = functional.log_softmax(self.head(self.pyramid(maps)).float().flatten(2), dim=-1)
            return log_maps.exp() @ crop_places().to(log_maps), log_maps


def crop_places() -> torch.Tensor:
    """Return x and y of each cell of the probability maps in the unit of the crops, shape (h * w, 2)."""
    y, x = (torch.arange(size // 2) * 2.0 - (size - 1) / 2 for size in CROP_SHAPE)
    grid = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid[1].flatten(), grid[0].flatten()], dim=-1) / UNIT


class VertebraNetwork(PreTrainedModel):
    """A locator and a refiner that are trained together, and the scout."""

    config_class = VertebraConfig
    main_input_name = "pixel_values"

    def __init__(self, config: VertebraConfig) -> None:
        super().__init__(config)
        self.locator = Locator(config.width)
        self.scout = Locator(config.width).requires_grad_(False)
        self.refiner = Refiner()
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Keep the initial weights of torch."""

    def forward(
        self,
        pixel_values: torch.Tensor | None = None,
        *,
        coarse_values: torch.Tensor | None = None,
        crops: torch.Tensor | None = None,
        neighbors: torch.Tensor | None = None,
    ) -> VertebraOutput:
        """Run the networks whose input is given.

        Args:
            pixel_values: Input of the locator, shape (N, 1, H, W) with H and W multiples of 64.
            coarse_values: Input of the scout, of the same kind.
            crops: Input of the refiner, shape (M, 1, 80, 96), each with mean 0 and standard deviation 1.
            neighbors: The same, shape (M, 8); see `spinealign.imaging.frames.neighbor_features`.
        """
        output = VertebraOutput()
        if pixel_values is not None:
            output.maps = self.locator(pixel_values)
        if coarse_values is not None:
            output.scout_maps = self.scout(coarse_values)
        if crops is not None and neighbors is not None:
            output.corners, output.log_maps = self.refiner(crops, neighbors)
        return output


def load_vertebra_network(folder: str | os.PathLike[str], *, name: str | None = None) -> VertebraNetwork:
    """Load the network of a folder in float32, with every tensor; `name` is its name in messages.

    Raises:
        CheckpointError: If a tensor is missing or superfluous, or a file is damaged.
    """
    folder = os.fspath(folder)
    name = name or folder
    try:
        network, report = VertebraNetwork.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # damaged files make transformers raise almost any class
        reason = str(error).replace(folder, name).removesuffix(".")
        raise CheckpointError(f"transformers cannot load {name}: {reason}.") from error
    if wrong := [str(key) for keys in report.values() for key in keys]:
        raise CheckpointError(f"The weights of {name} do not fit its configuration: {', '.join(wrong[:5])}.")
    loaded: VertebraNetwork = network
    return loaded
