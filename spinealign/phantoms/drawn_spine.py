"""What drawn x-rays of the spine share: the chain of vertebrae, the film and its exposure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.imaging.slice import Slice
from spinealign.phantoms.geometry import Field, Grid

COUNT = 17  # T1 to L5
TOP_HEIGHT_MM, BOTTOM_HEIGHT_MM = 16.0, 28.0  # T1 and L5
DISC_SHARE = 0.28  # height of a disc in heights of a vertebra
MARGIN_MM = 28.0
LARGEST_TILT_DEG = 80.0

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DrawnSpine:
    """A drawn x-ray of the spine with its ground truth.

    Attributes:
        slice: Image in gray levels, bone bright, with its pixel spacing.
        corners: float64 of shape (17, 4, 2): x and y in pixels of the corners at the top left, top right, bottom
            left and bottom right of each vertebra, from the top.
        tilts_deg: Tilt of each vertebra, positive clockwise. The endplates of a vertebra are parallel, so the Cobb
            angle between two vertebrae is the difference of their tilts.
        seed: Seed that reproduces the phantom.
    """

    slice: Slice
    corners: Array
    tilts_deg: Array
    seed: int


def tilt_profile(nodes_deg: Sequence[float], *, places: Sequence[int] | None = None) -> Array:
    """Return the tilts of 17 vertebrae in degrees, which pass through nodes.

    Args:
        nodes_deg: Tilts of some vertebrae, each within 80.
        places: Indices of these vertebrae, increasing from 0 to 16; None for equal distances from the first to the
            last. Before the first and after the last node the tilt is constant.

    Raises:
        ValueError: If no tilt is given, or one is too large.

    Example:
        >>> tilt_profile([-20, 20])[[0, 4, 16]].round(1).tolist()  # one curve of 40 degrees
        [-20.0, -14.1, 20.0]
    """
    nodes = np.asarray(nodes_deg, dtype=np.float64)
    if not len(nodes) or np.abs(nodes).max() > LARGEST_TILT_DEG:
        raise ValueError(
            f"Expected at least one tilt, each within {LARGEST_TILT_DEG:g} degrees, got {list(nodes_deg)}."
        )
    if len(nodes) == 1:
        return np.repeat(nodes, COUNT)
    at = np.rint(np.linspace(0, COUNT - 1, len(nodes))) if places is None else np.asarray(places)
    before = np.clip(np.searchsorted(at, np.arange(COUNT), side="right") - 1, 0, len(nodes) - 2)
    share = np.clip((np.arange(COUNT) - at[before]) / (at[before + 1] - at[before]), 0, 1)
    return nodes[before] + (1 - np.cos(np.pi * share)) / 2 * (nodes[before + 1] - nodes[before])


def chain(tilts_deg: Array, *, widths: Array, heights: Array) -> Array:
    """Return the corners in mm, shape (N, 4, 2), of rectangles that follow each other along their tilts."""
    angles = np.deg2rad(tilts_deg)
    right, down = np.stack([np.cos(angles), np.sin(angles)], 1), np.stack([-np.sin(angles), np.cos(angles)], 1)
    reach = down * heights[:, None] * (0.5 + DISC_SHARE / 2)
    centers = np.cumsum(np.vstack([np.zeros(2), reach[:-1] + reach[1:]]), axis=0)
    across, along = right * widths[:, None] / 2, down * heights[:, None] / 2
    return np.stack(
        [centers - across - along, centers + across - along, centers - across + along, centers + across + along], 1
    )


@dataclass(frozen=True, eq=False)
class Film:
    """The area of an x-ray around a spine.

    Attributes:
        grid: Coordinates of the pixels in mm.
        origin: x and y in mm of the upper left corner of the film.
    """

    grid: Grid
    origin: Array

    @classmethod
    def around(cls, corners: Array, *, height: int, aspect: float, margin_mm: float = MARGIN_MM) -> Film:
        """Return a film of `height` rows, which is at least `aspect` times as wide, around corners in mm.

        Raises:
            ValueError: If the height is below 128 pixels.
        """
        if height < 128:
            raise ValueError(f"height must be at least 128 pixels, got {height}.")
        low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
        pitch = float(high[1] - low[1] + 2 * MARGIN_MM) / height
        columns = int(np.ceil(max((high[0] - low[0] + 2 * margin_mm) / pitch, aspect * height)))
        origin = np.array([(low[0] + high[0] - columns * pitch) / 2, low[1] - MARGIN_MM])
        axes = (start + (np.arange(count) + 0.5) * pitch for start, count in zip(origin, (columns, height)))
        x, y = np.meshgrid(*axes)
        return cls(Grid(x, y, pitch), origin)

    def pixels(self, points: Array) -> Array:
        """Return points in mm, shape (..., 2), in pixels."""
        return (points - self.origin) / self.grid.pitch_mm - 0.5

    def near(self, center: Array, reach_mm: float) -> tuple[slice, slice]:
        """Return the rows and columns within a distance of a point; both are empty outside the film."""
        spans = [
            np.flatnonzero(np.abs(axis - middle) <= reach_mm)
            for axis, middle in zip((self.grid.y[:, 0], self.grid.x[0]), center[::-1])
        ]
        rows, columns = (slice(span[0], span[-1] + 1) if len(span) else slice(0, 0) for span in spans)
        return rows, columns

    def local(self, near: tuple[slice, slice], corners: Array) -> Grid:
        """Return a window of the film in the coordinates of a vertebra: x along its endplates, origin in the center."""
        x, y = corners[1] - corners[0]
        window = Grid(self.grid.x[near], self.grid.y[near], self.grid.pitch_mm)
        return window.placed(tuple(corners.mean(axis=0)), float(np.rad2deg(np.arctan2(y, x))))


def soft(distance: Field, width_mm: float) -> Field:
    """Return 1 inside a shape and 0 outside, with an edge of about `width_mm`, from the distance to the shape."""
    return 1 / (1 + np.exp(np.clip(4 * distance / width_mm, -60, 60)))


def body_shadow(local: Grid, size: tuple[float, float], *, rng: np.random.Generator) -> Field:
    """Return the shadow of a vertebral body of a width and height: it has a waist and dense endplates."""
    width, height = size
    waist = 1 - 0.07 * (1 - (2 * local.y / height) ** 2).clip(0)
    outline = np.maximum(np.abs(local.x) / waist - width / 2, np.abs(local.y) - height / 2)
    return rng.uniform(0.4, 0.7) * local.coverage(outline) + 0.45 * local.coverage(np.abs(outline + 0.7) - 0.7)


def expose(shadow: Field, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return gray levels in [0, 255] of a film on which the shadows of the tissues are added up, with noise."""
    noisy = shadow + rng.uniform(0.02, 0.07) * rng.normal(size=shadow.shape)
    dark, bright = np.percentile(noisy, (1, 99.5))
    level = np.clip((noisy - dark) / (bright - dark), 0, 1) ** rng.uniform(0.75, 1.3)
    low, high = rng.uniform(0, 30), rng.uniform(210, 250)
    return (low + (high - low) * level).astype(np.float32)
