"""Loss of the network that outlines vertebrae."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional

from spinealign.networks.sagittal import SagittalOutput
from spinealign.training.vertebrae.loss import refiner_loss

WEIGHTS = (1.0, 0.7, 0.7, 0.7, 0.5)  # of body, L5, S1, disc and canal


def sagittal_loss(output: SagittalOutput, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the loss of the segmenter or the refiner, for a batch of views or crops of `dataset.SliceDataset`."""
    if output.maps is not None:
        return segmenter_loss(output.maps, wanted=batch["wanted"], ignored=batch["ignored"])
    corners, log_maps = output.to_tuple()
    return refiner_loss(corners, log_maps, wanted=batch["crop_corners"])


def segmenter_loss(maps: torch.Tensor, *, wanted: torch.Tensor, ignored: torch.Tensor) -> torch.Tensor:
    """Return the weighted sum of cross entropy and soft Dice loss of each structure, over all pixels of a batch.

    Args:
        maps: Logits of shape (N, 5, H, W).
        wanted: uint8 of the same shape, 0 or 1.
        ignored: The same; these pixels do not count.
    """
    known, wanted = 1 - ignored.float(), wanted.float()
    axes = (0, 2, 3)
    entropy = functional.binary_cross_entropy_with_logits(maps, wanted, reduction="none") * known
    entropy = entropy.sum(axes) / known.sum(axes).clamp(min=1)
    share = torch.sigmoid(maps) * known
    wanted = wanted * known
    dice = 1 - (2 * (share * wanted).sum(axes) + 1) / (share.sum(axes) + wanted.sum(axes) + 1)
    return ((entropy + dice) * maps.new_tensor(WEIGHTS)).sum()
