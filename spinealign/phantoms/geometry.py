"""Signed distances to simple shapes on a grid in mm: negative inside, positive outside.

Formulas after Quilez, "2D distance functions" and "smooth minimum".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating]
Point = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Grid:
    """Coordinates of the pixel centers in mm, shape (H, W): x to the right of the image, y down (posterior)."""

    x: Field
    y: Field
    pitch_mm: float

    @classmethod
    def square(cls, size: int, extent_mm: float) -> Grid:
        """Return a grid of size x size pixels, `extent_mm` wide, with the origin at its center."""
        pitch = extent_mm / size
        axis = ((np.arange(size) - (size - 1) / 2) * pitch).astype(np.float32)
        x, y = np.meshgrid(axis, axis)
        return cls(x, y, pitch)

    def placed(self, center: Point, angle_deg: float) -> Grid:
        """Return the pixels in the coordinates of an object at `center`, rotated by `angle_deg`."""
        cos, sin = float(np.cos(np.deg2rad(angle_deg))), float(np.sin(np.deg2rad(angle_deg)))
        x, y = self.x - center[0], self.y - center[1]
        return Grid(cos * x + sin * y, cos * y - sin * x, self.pitch_mm)

    def coverage(self, distance: Field) -> Field:
        """Return the fraction of each pixel inside a shape, in [0, 1], from the distance to the shape."""
        return np.clip(0.5 - distance / self.pitch_mm, 0.0, 1.0)


def capsule(grid: Grid, start: Point, *, end: Point, radius: float) -> Field:
    """Return the distance to a line segment of width `2 * radius` with round ends."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = ((grid.x - start[0]) * dx + (grid.y - start[1]) * dy) / (dx * dx + dy * dy)
    along = np.clip(along, 0.0, 1.0)
    return np.hypot(grid.x - start[0] - along * dx, grid.y - start[1] - along * dy) - radius


def superellipse(grid: Grid, center: Point, *, half_axes: Point, power: float = 2.0) -> Field:
    """Return the approximate distance to |x/a|^power + |y/b|^power = 1; a power above 2 gives squarer corners."""
    x, y = np.abs(grid.x - center[0]) / half_axes[0], np.abs(grid.y - center[1]) / half_axes[1]
    radius = np.hypot(x, y) if power == 2 else (x**power + y**power) ** (1 / power)
    return (radius - 1) * min(half_axes)


def smooth_union(first: Field, second: Field, *, radius: float) -> Field:
    """Return the distance to the union of two shapes, with a fillet of about `radius` mm."""
    gap = np.maximum(radius - np.abs(first - second), 0.0) / radius
    return np.minimum(first, second) - gap * gap * radius / 4
