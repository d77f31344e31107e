"""Masks of S1, which collections do not label: seeded watershed below L5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinealign.alignment.sagittal.corners import mask_corners
from spinealign.cohort.masks.labeled import Mask
from spinealign.errors import require

Vector = NDArray[np.float64]
_TURN_FROM_L5, _TURN_FROM_DISC = 14.0, 8.0  # degrees towards posterior, from their normals to that of S1
_DISC_HEIGHT = 5.5  # pixels between L5 and S1, where the disc is not labeled
_WIDTHS = (24.0, 40.0)  # pixels: range of the endplate of S1
_DEPTH, _SEED_DEPTH = 32.0, 14.0  # pixels below the endplate: of S1, and of the center of the seed
_SEED = (8.0, 7.0)  # half axes of the seed, across and along
_LEAST_SEED = 80  # pixels
_WINDOW = 60  # pixels around the middle of S1
_AREAS = (380, 1250)  # pixels
_INTENSITIES = (0.6, 1.5)  # median of S1 through that of L5
_RING, _UNKNOWN = 4, 27.0  # pixels around S1, or around its expected center, that are not learned from
_MARGIN = 18  # pixels below the endplate that must be in view


@dataclass(frozen=True, eq=False)
class SacralFrame:
    """Expected place of S1.

    Attributes:
        origin: Center (x, y) of its superior endplate.
        down: Unit vector from there into the body.
        width: Width of the endplate in pixels.
    """

    origin: tuple[float, float]
    down: Vector
    width: float

    def point(self, depth: float) -> Vector:
        """Return the point at a depth below the middle of the endplate."""
        return self.origin + self.down * depth

    def coordinates(self, shape: tuple[int, int]) -> tuple[Vector, Vector]:
        """Return the distance of each pixel along the endplate, towards posterior, and below it."""
        y, x = np.indices(shape) - np.array(self.origin[::-1])[:, None, None]
        return x * self.down[1] - y * self.down[0], x * self.down[0] + y * self.down[1]


def frame_below(bodies: Sequence[Mask], disc: Mask) -> SacralFrame:
    """Return the expected place of S1 below the lowest disc, if it is labeled below L5, or else below L5.

    Args:
        bodies: L5, L4 and so on.
        disc: Mask of all discs; empty if unknown.
    """
    l5, l4 = (_points(mask).mean(axis=0) for mask in bodies[:2])
    numbers, count = ndimage.label(disc)
    parts = [_points(numbers == number) for number in range(1, count + 1)]
    parts = [part for part in parts if len(part) > 60 and (part.mean(axis=0) - l5) @ (l5 - l4) > 0]
    if parts:
        return _below_disc(min(parts, key=lambda part: float(np.linalg.norm(part.mean(axis=0) - l5))), l5)
    front, back = mask_corners([bodies[1], bodies[0]])[1, 2:]
    edge = back - front
    down = np.array([-edge[1], edge[0]]) / np.linalg.norm(edge)
    origin = (front + back) / 2 + down * _DISC_HEIGHT
    return SacralFrame((float(origin[0]), float(origin[1])), _turned(down, _TURN_FROM_L5), _width(np.linalg.norm(edge)))


def _below_disc(disc: Vector, l5: Vector) -> SacralFrame:
    center = disc.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov((disc - center).T))
    down = axes[:, 0] * np.sign(axes[:, 0] @ (center - l5))
    depth = np.percentile((disc - center) @ down, 92)
    width = np.ptp(np.percentile((disc - center) @ axes[:, 1], [2, 98]))
    origin = center + down * depth
    return SacralFrame((float(origin[0]), float(origin[1])), _turned(down, _TURN_FROM_DISC), _width(width))


def grow_s1(gray: NDArray[np.float32], frame: SacralFrame, *, blocked: Mask, body: Mask) -> Mask | None:
    """Return the mask of S1, or None if it is not in view or not plausible.

    Args:
        gray: Slice of shape (H, W).
        frame: Expected place of S1.
        blocked: Pixels that are other structures.
        body: Mask of L5, whose gray levels S1 must resemble.

    Raises:
        MissingDependencyError: If scikit-image is not installed.
    """
    require("skimage", extra="train")
    from skimage.morphology import convex_hull_image

    x, y = frame.point(_MARGIN)
    if not (0 <= y < gray.shape[0] - 4 and 0 <= x < gray.shape[1]):
        return None
    window = tuple(slice(max(round(middle) - _WINDOW, 0), round(middle) + _WINDOW) for middle in (y, x))
    corner = (window[1].start, window[0].start)
    shifted = replace(frame, origin=(frame.origin[0] - corner[0], frame.origin[1] - corner[1]))
    grown = _grown(gray[window], shifted, blocked[window])
    if grown is None:
        return None
    mask = np.zeros(gray.shape, bool)
    mask[window] = convex_hull_image(grown) & ~blocked[window]
    if not _AREAS[0] < mask.sum() < _AREAS[1]:
        return None
    ratio = np.median(gray[mask]) / max(float(np.median(gray[body])), 1e-3)
    return mask if _INTENSITIES[0] < ratio < _INTENSITIES[1] else None


def _grown(gray: NDArray[np.float32], frame: SacralFrame, blocked: Mask) -> Mask | None:
    """Return what a watershed from a seed in the middle of S1 reaches, or None."""
    from skimage.segmentation import watershed

    across, depth = frame.coordinates(gray.shape)
    seed = ((across / _SEED[0]) ** 2 + ((depth - _SEED_DEPTH) / _SEED[1]) ** 2 < 1) & ~blocked
    region = (depth > -3) & (depth < _DEPTH + 4) & (np.abs(across) < frame.width * 0.62)
    if seed.sum() < _LEAST_SEED:
        return None
    smooth = ndimage.gaussian_filter(gray, 0.8)
    markers = np.where(~region | blocked, 2, np.where(seed, 1, 0))
    edges = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1))
    grown = watershed(edges, markers, mask=ndimage.binary_dilation(region, iterations=3)) == 1
    inside = gray[seed]
    grown &= (depth > -2) & (depth < _DEPTH) & (np.abs(smooth - np.median(inside)) < 3.5 * max(inside.std(), 0.05))
    numbers, count = ndimage.label(ndimage.binary_fill_holes(ndimage.binary_opening(grown, iterations=3)))
    if not numbers[seed].any():
        return None
    largest: Mask = numbers == np.bincount(numbers[seed], minlength=count + 1)[1:].argmax() + 1
    return largest


def ignored_around(shape: tuple[int, int], frame: SacralFrame, *, s1: Mask | None) -> Mask:
    """Return where S1 is not learned from: a ring around it, or a disc at its expected place."""
    if s1 is not None:
        ring: Mask = ndimage.binary_dilation(s1, iterations=_RING) & ~s1
        return ring
    y, x = np.indices(shape)
    center = frame.point(_SEED_DEPTH)
    return np.hypot(x - center[0], y - center[1]) < _UNKNOWN


def _points(mask: Mask) -> Vector:
    return np.argwhere(mask)[:, ::-1].astype(float)


def _turned(down: Vector, degrees: float) -> Vector:
    """Return a vector turned from down towards posterior."""
    turn = np.radians(degrees)
    return np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ down


def _width(value: np.floating) -> float:
    return float(np.clip(value, *_WIDTHS))
