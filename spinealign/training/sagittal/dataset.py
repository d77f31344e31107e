"""Dataset of sagittal slices for the Trainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from spinealign.alignment.sagittal.corners import mask_corners
from spinealign.alignment.sagittal.preparing import BRIGHTEST
from spinealign.cohort.masks.labeled import L5, S1, STRUCTURES, LabeledSlice
from spinealign.imaging.frames import neighbor_features
from spinealign.training.sagittal.augmentation import (
    SliceAugmentation,
    Warp,
    random_affine,
    vary_gray,
    view_slice,
)
from spinealign.training.vertebrae.augmentation import chosen_frames, random_crops, vary_frames

SIZE = 160  # pixels of a view
SLICES_PER_EPOCH = 400
CROPS_PER_SLICE = 4
MARGIN = 50  # pixels around bodies that their crops may show
CUT = 0.4  # share of views of slices that are cut below
SMALLEST_CHAIN = 4  # bodies, for crops


@dataclass(frozen=True, eq=False)
class StoredSlice:
    """A labeled slice in bytes.

    Attributes:
        gray: uint8 of shape (H, W).
        masks: uint8 of shape (2, H, W): bits of the structures, and of those that are ignored.
        corners: Shape (N, 4, 2) from the top; N is 0 if the outlines are not exact.
        center: Mean place (x, y) of the bodies; the middle of the slice without bodies.
        sacrum: Center of the superior endplate of S1, or None.
    """

    gray: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    corners: NDArray[np.float64]
    center: NDArray[np.float64]
    sacrum: tuple[float, float] | None

    @classmethod
    def store(cls, item: LabeledSlice) -> StoredSlice:
        """Store a labeled slice."""
        bodies = item.body_masks()
        exact = item.exact and len(bodies) >= SMALLEST_CHAIN
        corners = mask_corners(bodies) if exact else np.zeros((0, 4, 2))
        rows, columns = np.nonzero(item.bodies)
        height, width = item.gray.shape
        center = (columns.mean(), rows.mean()) if len(rows) else ((width - 1) / 2, (height - 1) / 2)
        gray = np.round(item.gray / BRIGHTEST * 255).astype(np.uint8)
        return cls(gray, np.stack([item.structures, item.ignored]), corners, np.array(center), item.sacrum)


class SliceDataset(Dataset[dict[str, torch.Tensor]]):
    """Random views of slices for the segmenter, or crops of their bodies for the refiner.

    Each item depends only on the seed, the epoch and the index.

    Args:
        groups: Slices by source; for crops, those with corners are used.
        weights: How often each source is drawn, in relation to the others.
        seed: Seed of all random choices.
        crops: Whether the items are crops.
        augmentation: Strength of the augmentation of views.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[StoredSlice]],
        weights: Mapping[str, float],
        *,
        seed: int,
        crops: bool = False,
        augmentation: SliceAugmentation | None = None,
    ) -> None:
        usable = {name: [item for item in groups[name] if len(item.corners) or not crops] for name in sorted(groups)}
        self._groups = [items for items in usable.values() if items]
        shares = np.array([weights[name] for name, items in usable.items() if items])
        self._shares = shares / shares.sum()
        self._seed, self._crops, self._augmentation = seed, crops, augmentation or SliceAugmentation()
        self._epoch = torch.zeros(1, dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]  # running workers of the data loader read it

    def __len__(self) -> int:
        return SLICES_PER_EPOCH if self._groups else 0

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch, also for workers that are already running."""
        self._epoch[0] = epoch

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng((self._seed, int(self._epoch), index))
        group = self._groups[int(rng.choice(len(self._groups), p=self._shares))]
        item = group[int(rng.integers(len(group)))]
        gray = item.gray.astype(np.float32) * np.float32(BRIGHTEST / 255)
        return _crops(gray, item, rng) if self._crops else self._view(gray, item, rng)

    def _view(self, gray: NDArray[np.float32], item: StoredSlice, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Return a view with its masks."""
        masks, center = item.masks, item.center
        if item.sacrum is not None and rng.random() < 0.55:
            center = (center + item.sacrum) / 2 if rng.random() < 0.6 else np.array(item.sacrum) - [0, 15]
        if rng.random() < CUT:
            gray, masks = cut_below(gray, masks, sacrum=item.sacrum, rng=rng)
            center = np.array([center[0], min(center[1], len(gray) - 50)])
        affine = random_affine(center, SIZE, config=self._augmentation, rng=rng)
        seen, (structures, ignored) = view_slice(gray, masks, affine=affine, size=SIZE)
        seen = vary_gray(seen, self._augmentation, rng=rng)
        seen = (seen - seen.mean()) / (seen.std() + np.float32(1e-5))
        if rng.random() < 0.3:
            seen = seen * np.float32(rng.uniform(0.8, 1.25))
        bits = (1 << np.arange(len(STRUCTURES), dtype=np.uint8))[:, None, None]
        return {
            "pixel_values": torch.from_numpy(seen[None].astype(np.float32)),
            "wanted": torch.from_numpy(((structures & bits) > 0).astype(np.uint8)),
            "ignored": torch.from_numpy(((ignored & bits) > 0).astype(np.uint8)),
        }


def _crops(gray: NDArray[np.float32], item: StoredSlice, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    """Return crops of some bodies, the geometry of their neighbors, and their corners."""
    warp = Warp.random(rng)
    corners = warp.move(item.corners)
    first = int(rng.integers(0, len(corners) - SMALLEST_CHAIN + 1)) if rng.random() < 0.5 else 0
    corners = corners[first:]  # chains differ in how many bodies they show
    frames = vary_frames(corners, rng)
    chosen = int(rng.integers(0, len(corners) - CROPS_PER_SLICE + 1)) + np.arange(CROPS_PER_SLICE)
    low = np.maximum(corners[chosen].min(axis=(0, 1)).astype(int) - MARGIN, 0)
    high = corners[chosen].max(axis=(0, 1)).astype(int) + MARGIN
    near = warp.apply(gray[low[1] : high[1], low[0] : high[0]], low)
    own = chosen_frames(frames, chosen)
    crops, wanted = random_crops(near, corners[chosen] - low, frames=replace(own, centers=own.centers - low), rng=rng)
    return {
        "crops": torch.from_numpy(crops),
        "neighbors": torch.from_numpy(neighbor_features(frames)[chosen]),
        "crop_corners": torch.from_numpy(wanted.astype(np.float32)),
    }


def cut_below(
    gray: NDArray[np.float32],
    masks: NDArray[np.uint8],
    *,
    sacrum: tuple[float, float] | None,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Cut a slice within S1, below or within L5, or above it.

    Where S1 is out of view and most of L5 is not, whether a body is L5 is ignored; otherwise the answer is no.
    """
    rows = np.flatnonzero(((masks[0] & L5) > 0).any(axis=1))
    if not len(rows):
        return gray, masks
    top, bottom = rows[0], rows[-1]
    middle, chance = (top + bottom) / 2, rng.random()
    removed = ignored = 0
    if chance < 0.3:
        if sacrum is None:
            return gray, masks
        place = sacrum[1] + rng.uniform(7, 24)
    elif chance < 0.6:
        place, removed, ignored = rng.uniform(middle + 4, bottom + 4), S1, L5
    else:
        place, removed = rng.uniform(top - (5 if chance < 0.8 else 70), middle + 4), L5 | S1
    row = int(place)
    if not 90 < row < len(gray) - 3:
        return gray, masks
    structures, unknown = masks[:, :row]
    structures, unknown = structures & ~np.uint8(removed), unknown & ~np.uint8(removed) | np.uint8(ignored)
    return gray[:row], np.stack([structures, unknown])


def collate(items: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Stack views, or chain crops."""
    join = torch.cat if "crops" in items[0] else torch.stack
    return {name: join([item[name] for item in items]) for name in items[0]}
