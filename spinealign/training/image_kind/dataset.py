"""Images with their kind, and random views of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from spinealign.alignment.kinds import KINDS, TURNS, Kind, kind_input
from spinealign.training.image_kind.augmentation import (
    deep_cut,
    drawing,
    long_chain,
    random_view,
    scrambled,
    shuffled,
    stretched,
    vary_gray,
)

STORED_SIDE = 144  # longer side of a stored image
SHARES = {"neck_ct": 0.12, "sagittal_mr": 0.4, "frontal_xray": 0.14, "other": 0.34}  # of the views of an epoch
MADE = 0.45  # share of the views of other kinds that are made from images of all kinds or drawn
INVERTED = {"neck_ct": 0.1, "sagittal_mr": 0.1, "frontal_xray": 0.3, "other": 0.15}


@dataclass(frozen=True, eq=False)
class KindExample:
    """An image of a known kind.

    Attributes:
        gray: uint8 of shape (H, W), upright; the longer side is at most `STORED_SIDE`.
        kind: What it shows.
        source: Collection; images of a source count equally often as those of the other sources of the kind.
        group: Patient, or the smallest unit that is not divided between training and test.
    """

    gray: NDArray[np.uint8]
    kind: Kind
    source: str
    group: str


class KindDataset(Dataset[dict[str, Any]]):
    """Random views of images in random orientations; each depends only on the seed, the epoch and the index."""

    def __init__(self, examples: Sequence[KindExample], *, views: int, side: int, seed: int) -> None:
        self._examples, self._views, self._side, self._seed = examples, views, side, seed
        self._epoch = 0
        self._pools: dict[str, list[list[int]]] = {}
        for kind in KINDS:
            sources: dict[str, list[int]] = {}
            for index, example in enumerate(examples):
                if example.kind == kind:
                    sources.setdefault(example.source, []).append(index)
            self._pools[kind] = list(sources.values())

    def __len__(self) -> int:
        return self._views

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch."""
        self._epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng((self._seed, self._epoch, index))
        kind = KINDS[int(rng.choice(len(KINDS), p=[SHARES[name] for name in KINDS]))]
        made = kind == "other" and rng.random() < MADE
        gray = self._made(rng) if made else self._chosen(kind, rng).gray
        seen = vary_gray(random_view(gray, self._side, rng=rng), rng, inverted=INVERTED[kind])
        place = int(rng.integers(len(TURNS)))
        return {
            "pixel_values": torch.from_numpy(kind_input(TURNS[place].apply(seen))[None]),
            "kinds": KINDS.index(kind),
            "turns": torch.from_numpy(accepted_turns(kind, place)),
        }

    def _chosen(self, kind: str, rng: np.random.Generator) -> KindExample:
        pools = self._pools[kind]
        weights = np.sqrt([len(pool) for pool in pools])
        pool = pools[int(rng.choice(len(pools), p=weights / weights.sum()))]
        return self._examples[pool[int(rng.integers(len(pool)))]]

    def _made(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return an image that shows nothing known, although parts of it may come from an image that does."""
        way = rng.random()
        if way < 0.25:
            return drawing(rng)
        if way < 0.37:
            return long_chain(self._chosen("sagittal_mr", rng).gray, rng)
        kind = KINDS[int(rng.integers(len(KINDS)))]
        gray = self._chosen(kind, rng).gray
        if way < 0.55:
            return shuffled(gray, rng)
        if way < 0.65:
            return scrambled(gray, rng)
        return stretched(deep_cut(gray, rng, share=rng.uniform(0.12, 0.18 if kind == "neck_ct" else 0.24)))


def accepted_turns(kind: str, place: int) -> NDArray[np.bool_]:
    """Return which orientations are right for an image in orientation `place`, shape (8,).

    The sides of an x-ray are not known, and other kinds have no orientation.
    """
    right = np.zeros(len(TURNS), bool)
    if kind == "sagittal_mr":
        right[place] = True
    elif kind == "frontal_xray":
        right[[place % 4, place % 4 + 4]] = True
    else:
        right[:] = True
    return right


def stored_gray(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy for `KindExample`, which is smaller if necessary."""
    image = Image.fromarray(gray)
    image.thumbnail((STORED_SIDE, STORED_SIDE), Image.Resampling.BILINEAR)
    return np.asarray(image)
