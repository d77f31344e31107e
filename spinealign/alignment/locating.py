"""Location of vertebrae in a prepared film, and refinement of their corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.maps import decode_chain
from spinealign.alignment.preparing import PreparedFilm, normalize, resize
from spinealign.checkpoint.checkpoint import Engine
from spinealign.imaging.frames import chain_frames, cut_crops, neighbor_features, standardize

Array = NDArray[np.float32]
Points = NDArray[np.float64]
ROUNDS = 3  # of refinement; chosen on held-out training films


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
        second: Corners that start from the locator and are refined once, shape (M, 4, 2); in an easy film, they are
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

    The chain of the scout is refined: in held-out films, it is shifted by a vertebra or stretched less often than the
    chain of the locator. `shapes` are those of the inputs of the locator and the scout.
    """
    inputs = [normalize(resize(film.tall, shape))[None, None] for shape in shapes]
    located, scouted = (decode_chain(maps[0], count=count) for maps in engine.locate(*inputs))
    second, corners = (
        (chain.corners + 0.5) * [film.fine.shape[1] / shape[1], film.fine.shape[0] / shape[0]] - 0.5
        for chain, shape in zip((located, scouted), shapes)
    )
    for _ in range(ROUNDS):
        corners = _refine(engine, film.fine, corners)
    return Location(corners, scouted.peaks, _refine(engine, film.fine, second))


def _refine(engine: VertebraEngine, fine: Array, corners: Points) -> Points:
    """Return refined corners."""
    if len(corners) < 2:  # a single vertebra has no neighbors
        return corners
    frames = chain_frames(corners)
    crops = standardize(np.clip(cut_crops(fine, frames), 0, 1))
    return frames.to_pixels(engine.refine(crops, neighbor_features(frames)).astype(np.float64))
