"""Location of vertebrae in a prepared film, and refinement of their corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.maps import Chain, decode_chain, mirror_back
from spinealign.alignment.preparing import PreparedFilm, normalize, resize
from spinealign.imaging.frames import chain_frames, cut_crops, neighbor_features, standardize

Array = NDArray[np.float32]
Points = NDArray[np.float64]
MIRRORED_CORNERS = [1, 0, 3, 2]


class VertebraEngine(Protocol):
    """Networks that locate and refine vertebrae."""

    input_shape: tuple[int, int]
    count: int

    def locate(self, pixel_values: Array) -> tuple[Array, Array]:
        """Return the maps of both locators, (N, 10, H / 4, W / 4), for `pixel_values` of shape (N, 1, H, W)."""

    def refine(self, crops: Array, neighbors: Array) -> Array:
        """Return corners (M, 4, 2) for crops of shape (M, 1, 80, 96) and features of shape (M, 8)."""


@dataclass(frozen=True, eq=False)
class Location:
    """Vertebrae of a film, from the top.

    Attributes:
        corners: Shape (N, 4, 2) in pixels of `PreparedFilm.fine`.
        peaks: Confidence of each vertebra in [0, 1].
        second: Corners that start from the second locator, shape (M, 4, 2); both agree in an easy film.
    """

    corners: Points
    peaks: Points
    second: Points


def locate(engine: VertebraEngine, film: PreparedFilm, *, rounds: int = 2) -> Location:
    """Locate the vertebrae of a film and refine their corners.

    The maps are means over the film and its mirror image, and so are the corners of the last round.
    """
    seen = normalize(resize(film.tall, engine.input_shape))[None]
    first, second = (
        decode_chain((plain + mirror_back(mirrored)) / 2, count=engine.count)
        for plain, mirrored in engine.locate(np.stack([seen, seen[..., ::-1]]))
    )
    return Location(
        _refined(engine, film, first, rounds=rounds, mirror=True),
        first.peaks,
        _refined(engine, film, second, rounds=rounds, mirror=False),
    )


def _refined(engine: VertebraEngine, film: PreparedFilm, chain: Chain, *, rounds: int, mirror: bool) -> Points:
    """Return the corners of a chain in pixels of `fine`, after some rounds of refinement."""
    height, width = film.fine.shape
    rows, columns = engine.input_shape
    corners = (chain.corners + 0.5) * [width / columns, height / rows] - 0.5
    if len(corners) < 2:  # a single vertebra has no neighbors
        return corners
    for step in range(rounds):
        refined = _refine(engine, film.fine, corners)
        if mirror and step == rounds - 1:
            reversed_film = film.fine[:, ::-1]
            other = _refine(engine, reversed_film, _mirrored(corners, width))
            refined = (refined + _mirrored(other, width)) / 2
        corners = refined
    return corners


def _refine(engine: VertebraEngine, fine: Array, corners: Points) -> Points:
    frames = chain_frames(corners)
    crops = standardize(np.clip(cut_crops(fine, frames), 0, 1))
    found = engine.refine(crops, neighbor_features(frames))
    return frames.to_pixels(found.astype(np.float64))


def _mirrored(corners: Points, width: int) -> Points:
    return (corners * [-1, 1] + [width - 1, 0])[:, MIRRORED_CORNERS]
