"""Loss of the networks that find vertebrae."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional

from spinealign.networks.vertebrae import VertebraOutput, crop_places
from spinealign.training.vertebrae.targets import VOTING

CELLS, UNITS = 0.3, 0.03  # borders of the smooth L1 losses, in cells and in widths of a vertebra
PLACE_SPREAD = 0.045  # of the target of a probability map, in widths of a vertebra


def vertebra_loss(output: VertebraOutput, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the sum of the losses of locator and refiner, for a batch of `dataset.FilmDataset`."""
    maps, corners, log_maps = output.to_tuple()
    loss: torch.Tensor = locator_loss(maps, batch)
    if len(corners):
        loss = loss + refiner_loss(corners, log_maps, wanted=batch["crop_corners"])
    return loss


def locator_loss(maps: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the loss of a locator: the focal loss of CornerNet for centers, and weighted errors within vertebrae.

    The directions of the endplates count beside the corners, since angles follow from them.
    """
    heat, ignored = batch["heat"], batch["ignored"]
    share = torch.sigmoid(maps[:, 0]).clamp(1e-4, 1 - 1e-4)
    centers = heat >= 1
    found, missed = torch.log(share) * (1 - share) ** 2, torch.log(1 - share) * share**2 * (1 - heat) ** 4
    focal = -(torch.where(centers, found, missed) * ~ignored).sum() / centers.sum().clamp(min=1)
    weights = heat * (heat > VOTING) * ~ignored
    total = weights.sum().clamp(min=1)
    error = maps[:, 1:9] - batch["offsets"]
    ends = torch.cat([error[:, 2:4] - error[:, 0:2], error[:, 6:8] - error[:, 4:6]], dim=1)
    corners, endplates = ((_smooth(each, CELLS).sum(1) * weights).sum() / total for each in (error, ends))
    positions = ((maps[:, 9:] - batch["positions"]).abs()[:, 0] * weights).sum() / total
    return focal + 0.4 * corners + 0.6 * endplates + 1.5 * positions


def refiner_loss(found: torch.Tensor, log_maps: torch.Tensor, *, wanted: torch.Tensor) -> torch.Tensor:
    """Return the loss of the refiner: errors of corners, middle lines and endplates, and of the probability maps."""
    corners = _smooth(found - wanted, UNITS).sum(-1).mean(1)
    middle = _smooth(_direction(_middle(found)) - _direction(_middle(wanted)), UNITS)
    ends = _direction(found[:, 1::2] - found[:, ::2]) - _direction(wanted[:, 1::2] - wanted[:, ::2])
    distance = (crop_places().to(wanted) - wanted[:, :, None]).square().sum(-1)
    target = functional.softmax(-distance / (2 * PLACE_SPREAD**2), dim=-1)
    places = -(target * log_maps).sum(-1).mean(1)
    return (corners + middle + 0.5 * _smooth(ends, UNITS).sum(1) + 0.04 * places).mean()


def _smooth(error: torch.Tensor, border: float) -> torch.Tensor:
    return functional.smooth_l1_loss(error, torch.zeros_like(error), beta=border, reduction="none")


def _middle(corners: torch.Tensor) -> torch.Tensor:
    return corners[:, 1] + corners[:, 3] - corners[:, 0] - corners[:, 2]


def _direction(vectors: torch.Tensor) -> torch.Tensor:
    return torch.atan2(vectors[..., 1], vectors[..., 0])
