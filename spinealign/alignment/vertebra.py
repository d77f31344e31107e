"""One vertebra with its four corners and two endplates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import ImageError

Points = NDArray[np.float64]
TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT = range(4)


@dataclass(frozen=True, eq=False)
class Vertebra:
    """The body of one vertebra in an image.

    Attributes:
        corners: float64 of shape (4, 2): x to the right and y down, in pixels, of the corners at the top left, top
            right, bottom left and bottom right. Top is the superior endplate; left and right are those of the image.
        level: Anatomical level such as `L5`, or None if only the position in the chain is known.
        number: Position from the top among the visible vertebrae, from 1.
        confidence: Confidence of the detection in [0, 1]; 1 for corners that a person marked.
    """

    corners: Points
    number: int
    level: str | None = None
    confidence: float = 1.0

    @property
    def name(self) -> str:
        """The level, or "3rd visible" if it is unknown."""
        return self.level or f"{self.number}{ordinal_suffix(self.number)} visible"

    @property
    def center(self) -> Points:
        """Mean of the corners, shape (2,)."""
        center: Points = self.corners.mean(axis=0)
        return center

    @property
    def width(self) -> float:
        """Mean length of the two endplates."""
        return float(np.linalg.norm(self.corners[1::2] - self.corners[::2], axis=1).mean())

    @property
    def endplates(self) -> Points:
        """Left and right end of the superior and of the inferior endplate, shape (2, 2, 2)."""
        return self.corners.reshape(2, 2, 2)

    @property
    def tilt_deg(self) -> float:
        """Mean direction of the two endplates in degrees; positive if the right end is lower in the image."""
        right = (self.endplates[:, 1] - self.endplates[:, 0]).sum(axis=0)
        return float(np.degrees(np.arctan2(right[1], right[0])))

    def scaled(self, spacing_mm: tuple[float, float]) -> Vertebra:
        """Return the vertebra in mm; `spacing_mm` is the distance of pixels down a column and along a row."""
        return replace(self, corners=self.corners * np.array(spacing_mm[::-1]))


def ordinal_suffix(number: int) -> str:
    """Return "st", "nd", "rd" or "th"."""
    return "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def spine(corners: Points) -> list[Vertebra]:
    """Return vertebrae from corners of shape (N, 4, 2), numbered from the top."""
    return [Vertebra(each, number) for number, each in enumerate(np.asarray(corners, dtype=np.float64), start=1)]


def order_spine(corners: Points) -> Points:
    """Order vertebrae and their corners, as far as their geometry determines the order.

    The vertebrae are sorted along the principal axis of their centers, from the end that is higher in the image. The
    corners of each vertebra are sorted around its center, beginning with the top left as seen along the spine.

    Args:
        corners: Shape (N, 4, 2), in any order of vertebrae and of corners; N is at least 2.

    Returns:
        The same points, ordered.

    Raises:
        ImageError: If four points do not form a convex quadrilateral, or the vertebrae do not form a chain.
    """
    corners = np.asarray(corners, dtype=np.float64)
    if corners.ndim != 3 or corners.shape[1:] != (4, 2) or len(corners) < 2 or not np.isfinite(corners).all():
        raise ImageError(f"Expected finite corners of shape (N, 4, 2) with N >= 2, got shape {corners.shape}.")
    centers = corners.mean(axis=1)
    axis = np.linalg.svd(centers - centers.mean(axis=0), full_matrices=False)[2][0]
    axis = axis if axis[1] >= 0 else -axis
    corners = corners[np.argsort(centers @ axis, kind="stable")]
    down = np.gradient(corners.mean(axis=1), axis=0)
    return np.stack([_order_corners(each, along, number) for number, (each, along) in enumerate(zip(corners, down), 1)])


def _order_corners(corners: Points, down: Points, number: int) -> Points:
    """Return the corners from the top left on, where `down` is the direction of the spine."""
    around, right = corners - corners.mean(axis=0), np.array([down[1], -down[0]])
    clockwise = corners[np.argsort(np.arctan2(around @ down, around @ right))]
    edges = np.roll(clockwise, -1, axis=0) - clockwise
    following = np.roll(edges, -1, axis=0)
    if not (edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0] > 0).all():
        raise ImageError(f"The corners of vertebra {number} do not form a convex quadrilateral; mark them again.")
    superior = int(np.argmax((edges - np.roll(edges, -2, axis=0)) @ right))  # the edge that leads most to the right
    return np.roll(clockwise, -superior, axis=0)[[0, 1, 3, 2]]
