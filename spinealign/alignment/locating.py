"""Location of vertebrae in a prepared film, and refinement of their corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.maps import decode_chain, mirror_back
from spinealign.alignment.preparing import PreparedFilm, normalize, resize
from spinealign.checkpoint.checkpoint import Engine
from spinealign.imaging.frames import (
    MIRROR_SIGNS,
    MIRRORED,
    chain_frames,
    cut_crops,
    neighbor_features,
    standardize,
)

Array = NDArray[np.float32]
Points = NDArray[np.float64]
ROUNDS = 2  # of refinement


class VertebraEngine(Protocol):
    """Networks that locate and refine vertebrae.

    Attributes:
        name: `onnx` or `torch`.
        device: Device as requested; None for the default.
    """

    name: Engine
    device: str | None

    def locate(self, pixel_values: Array, coarse_values: Array) -> tuple[Array, Array]:
        """Return the maps of locator and scout, (N, 10, H / 4, W / 4), for their inputs of shape (N, 1, H, W)."""

    def refine(self, crops: Array, neighbors: Array) -> Array:
        """Return corners (M, 4, 2) for crops of shape (M, 1, 80, 96) and features of shape (M, 8)."""


@dataclass(frozen=True, eq=False)
class Location:
    """Vertebrae of a film, from the top.

    Attributes:
        corners: Shape (N, 4, 2) in pixels of `PreparedFilm.fine`.
        peaks: Confidence of each vertebra in [0, 1].
        second: Corners that start from the scout and are refined once, shape (M, 4, 2); in an easy film, they are
            nearly the same.
    """

    corners: Points
    peaks: Points
    second: Points


def locate(
    engine: VertebraEngine,
    film: PreparedFilm,
    *,
    shapes: tuple[tuple[int, int], tuple[int, int]],
    count: int,
) -> Location:
    """Locate at most `count` vertebrae in a film, and refine their corners.

    The maps of the locator are means over the film and its mirror image, and so are the corners of the last round.
    `shapes` are those of the inputs of the locator and the scout.
    """
    seen, coarse = (normalize(resize(film.tall, shape))[None] for shape in shapes)
    maps, scout_maps = engine.locate(np.stack([seen, seen[..., ::-1]]), coarse[None])
    chain = decode_chain((maps[0] + mirror_back(maps[1])) / 2, count=count)
    corners, second = (
        (found.corners + 0.5) * [film.fine.shape[1] / shape[1], film.fine.shape[0] / shape[0]] - 0.5
        for found, shape in zip((chain, decode_chain(scout_maps[0], count=count)), shapes)
    )
    for step in range(ROUNDS):
        corners = _refine(engine, film.fine, corners, mirror=step == ROUNDS - 1)
    return Location(corners, chain.peaks, _refine(engine, film.fine, second, mirror=False))


def _refine(engine: VertebraEngine, fine: Array, corners: Points, *, mirror: bool) -> Points:
    """Return refined corners; with `mirror`, the mean over the film and its mirror image."""
    if len(corners) < 2:  # a single vertebra has no neighbors
        return corners
    frames = chain_frames(corners)
    crops, neighbors = standardize(np.clip(cut_crops(fine, frames), 0, 1)), neighbor_features(frames)
    if not mirror:
        return frames.to_pixels(engine.refine(crops, neighbors).astype(np.float64))
    both = np.concatenate([crops, crops[..., ::-1]]), np.concatenate([neighbors, neighbors * MIRROR_SIGNS])
    found, mirrored = np.split(engine.refine(*both).astype(np.float64), 2)
    return frames.to_pixels((found + mirrored[:, MIRRORED] * [-1, 1]) / 2)
