"""Frontal x-ray phantoms of the spine with exactly known curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.imaging.slice import Slice
from spinealign.phantoms.geometry import Field, Grid, capsule, superellipse

COUNT = 17
TOP_WIDTH_MM, BOTTOM_WIDTH_MM = 27.0, 46.0  # T1 and L5
TOP_HEIGHT_MM, BOTTOM_HEIGHT_MM = 16.0, 28.0
DISC_SHARE = 0.28  # height of a disc in heights of a vertebra
MARGIN_MM = 28.0


@dataclass(frozen=True, eq=False)
class FrontalSpine:
    """A drawn frontal x-ray with its ground truth.

    Attributes:
        slice: Image in gray levels, bone bright, with its pixel spacing.
        corners: float64 of shape (17, 4, 2): x and y in pixels of the corners at the top left, top right, bottom
            left and bottom right of each vertebra, from the top.
        tilts_deg: Tilt of each vertebra, positive clockwise. The endplates of a vertebra are parallel, so the Cobb
            angle between two vertebrae is the difference of their tilts.
        seed: Seed that reproduces the phantom.
    """

    slice: Slice
    corners: NDArray[np.float64]
    tilts_deg: NDArray[np.float64]
    seed: int


def tilt_profile(nodes_deg: Sequence[float]) -> NDArray[np.float64]:
    """Return the tilts of 17 vertebrae, which pass through `nodes_deg` at equal distances, in degrees.

    Example:
        >>> tilt_profile([-20, 20])[[0, 4, 16]].round(1).tolist()  # one curve of 40 degrees
        [-20.0, -14.1, 20.0]
    """
    nodes = np.asarray(nodes_deg, dtype=np.float64)
    place = np.linspace(0, len(nodes) - 1, COUNT) if len(nodes) > 1 else np.zeros(COUNT)
    for index in range(1, len(nodes) - 1):  # an end vertebra in the middle has exactly the tilt of its node
        place[np.argmin(np.abs(place - index))] = index
    before = np.minimum(place.astype(int), max(len(nodes) - 2, 0))
    share = (1 - np.cos(np.pi * (place - before))) / 2
    return nodes[before] + share * (nodes[np.minimum(before + 1, len(nodes) - 1)] - nodes[before])


def draw_frontal_spine(nodes_deg: Sequence[float], *, seed: int = 0, height: int = 768) -> FrontalSpine:
    """Draw a frontal spine x-ray of 17 vertebrae.

    Args:
        nodes_deg: Tilts at equal distances along the spine in degrees, each within 80: `[0]` is straight, `[-20, 20]`
            one curve of 40 degrees, convex to the right, and `[-15, 15, -15]` two curves of 30 degrees.
        seed: Seed of the anatomy, the tissue and the noise, not negative.
        height: Height of the image in pixels, at least 128. The width follows from the spine.

    Returns:
        The phantom. The same arguments give the same pixels.

    Raises:
        ValueError: If an argument is out of range.
    """
    if not len(nodes_deg) or np.abs(nodes_deg).max() > 80:
        raise ValueError(f"Expected at least one tilt, each within 80 degrees, got {list(nodes_deg)}.")
    if height < 128:
        raise ValueError(f"height must be at least 128 pixels, got {height}.")
    rng = np.random.default_rng(seed)
    tilts = tilt_profile(nodes_deg)
    corners = _chain(tilts, rng)
    low, high = corners.min(axis=(0, 1)) - MARGIN_MM, corners.max(axis=(0, 1)) + MARGIN_MM
    pitch = float(high[1] - low[1]) / height
    columns = int(np.ceil(max(high[0] - low[0], 0.35 * (high[1] - low[1])) / pitch))
    left = (low[0] + high[0] - columns * pitch) / 2
    x, y = np.meshgrid(left + (np.arange(columns) + 0.5) * pitch, low[1] + (np.arange(height) + 0.5) * pitch)
    pixels = _expose(Grid(x, y, pitch), corners, np.deg2rad(tilts), rng)
    image = Slice(pixels, spacing_mm=(pitch, pitch), modality="DX", origin=f"frontal spine phantom {seed}")
    return FrontalSpine(image, (corners - [left, low[1]]) / pitch - 0.5, tilts, seed)


def _chain(tilts_deg: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the corners of rectangles in mm that follow each other along their tilts."""
    share = np.linspace(0, 1, COUNT)
    widths = (TOP_WIDTH_MM + share * (BOTTOM_WIDTH_MM - TOP_WIDTH_MM)) * rng.uniform(0.92, 1.08)
    heights = (TOP_HEIGHT_MM + share * (BOTTOM_HEIGHT_MM - TOP_HEIGHT_MM)) * rng.uniform(0.92, 1.08)
    angles = np.deg2rad(tilts_deg)
    right, down = np.stack([np.cos(angles), np.sin(angles)], 1), np.stack([-np.sin(angles), np.cos(angles)], 1)
    reach = down * heights[:, None] * (0.5 + DISC_SHARE / 2)
    steps = np.vstack([np.zeros(2), reach[:-1] + reach[1:]])
    centers = np.cumsum(steps, axis=0)
    across, along = right * widths[:, None] / 2, down * heights[:, None] / 2
    return np.stack(
        [centers - across - along, centers + across - along, centers - across + along, centers + across + along], 1
    )


def _expose(
    grid: Grid, corners: NDArray[np.float64], angles: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return gray levels of shape (H, W): the sum of the shadows of tissue, ribs and vertebrae, with noise."""
    centers = corners.mean(axis=1)
    extent_y = (grid.y - grid.y.min()) / np.ptp(grid.y)
    middle = np.interp(grid.y[:, 0], centers[:, 1], centers[:, 0])[:, None]
    body = 1.6 * np.exp(-(((grid.x - middle.mean()) / (0.42 * np.ptp(grid.x) + 40)) ** 4)) * (0.7 + 0.5 * extent_y)
    shadow = body + 0.45 * np.exp(-(((grid.x - middle) / 42.0) ** 2)) * (0.4 + extent_y)
    for number, (center, angle) in enumerate(zip(centers, angles)):
        width, height = (float(np.linalg.norm(corners[number, a] - corners[number, 0])) for a in (1, 2))
        near = _window(grid, center, width)
        shadow[near] += _vertebra(_local(grid, near, center, angle), width, height, rng)
        if 0 < number < 12:
            near = _window(grid, center, 120.0)
            shadow[near] += _ribs(_local(grid, near, center, angle), width, rng)
    shadow += 0.06 * rng.normal(size=shadow.shape) * rng.uniform(0.5, 1.5)
    level = 255 * (1 - np.exp(-rng.uniform(0.45, 0.7) * shadow))
    return np.clip(level, 0, 255).astype(np.float32)


def _window(grid: Grid, center: NDArray[np.float64], reach_mm: float) -> tuple[slice, slice]:
    """Return the rows and columns within a distance of a point."""
    rows, columns = (
        np.flatnonzero(np.abs(axis - middle) <= reach_mm)
        for axis, middle in zip((grid.y[:, 0], grid.x[0]), center[::-1])
    )
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _local(grid: Grid, near: tuple[slice, slice], center: NDArray[np.float64], angle: float) -> Grid:
    window = Grid(grid.x[near], grid.y[near], grid.pitch_mm)
    return window.placed((float(center[0]), float(center[1])), float(np.rad2deg(angle)))


def _vertebra(local: Grid, width: float, height: float, rng: np.random.Generator) -> Field:
    """Return the shadow of one vertebra: body with a waist and dense endplates, pedicles and spinous process."""
    waist = 1 - 0.07 * (1 - (2 * local.y / height) ** 2).clip(0)
    outline = np.maximum(np.abs(local.x) / waist - width / 2, np.abs(local.y) - height / 2)
    shadow = rng.uniform(0.55, 0.85) * local.coverage(outline)
    shadow += 0.5 * local.coverage(np.abs(outline + 0.7) - 0.7)
    for side in (-1, 1):
        ring = superellipse(local, (side * 0.32 * width, -0.12 * height), half_axes=(0.09 * width, 0.2 * height))
        shadow += 0.35 * local.coverage(np.abs(ring) - 0.6)
        transverse = capsule(
            local, (side * 0.45 * width, -0.1 * height), end=(side * 0.75 * width, -0.16 * height), radius=2.5
        )
        shadow += 0.25 * local.coverage(transverse)
    spinous = superellipse(local, (0.0, 0.3 * height), half_axes=(0.06 * width, 0.32 * height))
    return shadow + 0.3 * local.coverage(spinous)


def _ribs(local: Grid, width: float, rng: np.random.Generator) -> Field:
    """Return the shadow of a pair of ribs that leave a vertebra and slope down."""
    slope, reach = rng.uniform(0.25, 0.5), rng.uniform(60, 85)
    away = (np.abs(local.x) - 0.6 * width).clip(0)
    middle = -2.0 + slope * away + 0.004 * away**2
    band = np.maximum(np.abs(local.y - middle) - 3.0, np.maximum(0.6 * width - np.abs(local.x), away - reach))
    return 0.22 * local.coverage(band) + 0.12 * local.coverage(np.abs(band + 0.6) - 0.6)
