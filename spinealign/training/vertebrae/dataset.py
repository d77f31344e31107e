"""Dataset of films for the Trainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from spinealign.alignment.preparing import HIGH, LOW, TALL_SHAPE, PreparedFilm, normalize, resize
from spinealign.imaging.frames import mirror_corners, neighbor_features
from spinealign.training.vertebrae.augmentation import (
    FilmAugmentation,
    chosen_frames,
    random_crops,
    random_view,
    vary_frames,
    vary_gray,
    view_corners,
    view_film,
)
from spinealign.training.vertebrae.targets import target_maps

Array = NDArray[np.float32]
CROPS_PER_FILM = 4
TURNED = 0.08  # share of films that are shown upside down or sideways, where nothing may be found
BACKGROUND_SHARE = 0.1  # background images in an epoch, as a share of the films


@dataclass(frozen=True, eq=False)
class StoredFilm:
    """A prepared film in bytes, with its labels.

    Attributes:
        fine: uint8 of shape (1024, W).
        tall: uint8 of shape `TALL_SHAPE`.
        corners: Shape (N, 4, 2) in pixels of `fine`; N is 0 for a background image.
        reliable: Shape (N,); other vertebrae are ignored.
    """

    fine: NDArray[np.uint8]
    tall: NDArray[np.uint8]
    corners: NDArray[np.float64]
    reliable: NDArray[np.bool_]

    @classmethod
    def store(cls, film: PreparedFilm, *, shares: NDArray[np.float64], reliable: NDArray[np.bool_]) -> StoredFilm:
        """Store a prepared film; `shares` are the corners as shares of width and height."""
        corners = shares * [film.fine.shape[1], film.fine.shape[0]] - 0.5
        return cls(_bytes(film.fine), _bytes(film.tall), corners, reliable)


class FilmDataset(Dataset[dict[str, torch.Tensor]]):
    """Random views of films; each depends only on the seed, the epoch and the index.

    Args:
        films: Films with vertebrae.
        backgrounds: Images without any.
        shapes: Height and width of the input for each epoch.
        count: Vertebrae of a whole chain.
        seed: Seed of all random choices.
        augmentation: Strength of the augmentation.
    """

    def __init__(
        self,
        films: Sequence[StoredFilm],
        backgrounds: Sequence[StoredFilm],
        *,
        shapes: Sequence[tuple[int, int]],
        count: int,
        seed: int,
        augmentation: FilmAugmentation | None = None,
    ) -> None:
        self._films, self._backgrounds, self._shapes = films, backgrounds, shapes
        self._count, self._seed = count, seed
        self._augmentation = augmentation or FilmAugmentation()
        self._epoch = torch.zeros(1, dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]  # running workers of the data loader read it

    def __len__(self) -> int:
        return len(self._films) + (round(len(self._films) * BACKGROUND_SHARE) if self._backgrounds else 0)

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch, also for workers that are already running."""
        self._epoch[0] = epoch

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        epoch = int(self._epoch)
        rng = np.random.default_rng((self._seed, epoch, index))
        shape = self._shapes[min(epoch, len(self._shapes) - 1)]
        if index >= len(self._films):
            return self._background(self._backgrounds[int(rng.integers(len(self._backgrounds)))], shape, rng)
        if rng.random() < TURNED:
            return self._background(self._films[index], shape, rng, turns=int(rng.integers(1, 4)))
        return self._spine(self._films[index], shape, rng)

    def _spine(self, film: StoredFilm, shape: tuple[int, int], rng: np.random.Generator) -> dict[str, torch.Tensor]:
        width = film.fine.shape[1]
        view = random_view(width, shape, config=self._augmentation, rng=rng)
        seen = vary_gray(view_film(_gray(film.tall), width, view=view, shape=shape), self._augmentation, rng=rng)
        fine, corners = _gray(film.fine), film.corners
        if rng.random() < 0.5:
            fine = fine[:, ::-1].copy()
            corners = mirror_corners(corners, width)
        frames, reliable = vary_frames(corners, rng), np.flatnonzero(film.reliable)
        chosen = np.sort(rng.permutation(reliable)[:CROPS_PER_FILM])
        crops, crop_corners = random_crops(fine, corners[chosen], frames=chosen_frames(frames, chosen), rng=rng)
        return {
            **self._maps(seen, view_corners(film.corners, view), film.reliable),
            "crops": torch.from_numpy(crops),
            "neighbors": torch.from_numpy(neighbor_features(frames)[chosen]),
            "crop_corners": torch.from_numpy(crop_corners.astype(np.float32)),
        }

    def _background(
        self, film: StoredFilm, shape: tuple[int, int], rng: np.random.Generator, *, turns: int = 0
    ) -> dict[str, torch.Tensor]:
        fine, tall = film.fine, _gray(film.tall)
        if turns:
            fine = np.rot90(fine, turns)
            tall = resize(_gray(np.ascontiguousarray(fine)), TALL_SHAPE)
        width = TALL_SHAPE[0] * fine.shape[1] // fine.shape[0]
        view = random_view(width, shape, config=self._augmentation, rng=rng)
        seen = vary_gray(view_film(tall, width, view=view, shape=shape), self._augmentation, rng=rng)
        none = np.zeros((0, 4, 2))
        return {
            **self._maps(seen, none, np.zeros(0, bool)),
            "crops": torch.zeros(0, 1, 80, 96),
            "neighbors": torch.zeros(0, 8),
            "crop_corners": torch.zeros(0, 4, 2),
        }

    def _maps(self, seen: Array, corners: NDArray[np.float64], reliable: NDArray[np.bool_]) -> dict[str, torch.Tensor]:
        heat, offsets, positions = target_maps(corners, seen.shape[:2], count=self._count)
        doubtful = target_maps(corners[~reliable], seen.shape[:2], count=self._count)[0]
        values = {"heat": heat, "offsets": offsets, "positions": positions, "ignored": doubtful > 0.1}
        tensors = {name: torch.from_numpy(value) for name, value in values.items()}
        return {"pixel_values": torch.from_numpy(normalize(seen)[None]), **tensors}


def collate(items: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, Any]:
    """Stack the maps of films, and chain their crops."""
    chained = ("crops", "neighbors", "crop_corners")
    return {name: (torch.cat if name in chained else torch.stack)([item[name] for item in items]) for name in items[0]}


def _bytes(gray: Array) -> NDArray[np.uint8]:
    return np.round((gray - LOW) / (HIGH - LOW) * 255).astype(np.uint8)


def _gray(stored: NDArray[np.uint8]) -> Array:
    return stored.astype(np.float32) * np.float32((HIGH - LOW) / 255) + np.float32(LOW)
