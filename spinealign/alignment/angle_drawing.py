"""Construction of the lines by which a Cobb angle is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinealign.alignment.cobb import Curve
from spinealign.alignment.vertebra import Points


@dataclass(frozen=True, eq=False)
class AngleDrawing:
    """Lines of one Cobb angle.

    Attributes:
        endplates: Shape (2, 2, 2): ends of the lines along the upper and the lower endplate, from the convex side.
        perpendiculars: Shape (2, 2, 2): ends of their perpendiculars, from the endplate line; of shape (0, 2, 2) if the
            endplate lines cross.
        vertex: Shape (2,): where the lines or the perpendiculars cross.
        rays: Shape (2, 2): unit vectors from the vertex along the two sides of the angle.
    """

    endplates: Points
    perpendiculars: Points
    vertex: Points
    rays: Points

    @property
    def points(self) -> Points:
        """All ends of lines, shape (N, 2)."""
        return np.concatenate([self.endplates, self.perpendiculars]).reshape(-1, 2)


def construct_angle(corners: Points, curve: Curve, *, low: Points, high: Points) -> AngleDrawing:
    """Construct the angle of a curve on its concave side, inside a rectangle if there is room.

    The endplate lines are extended to their crossing. If it is outside, they end earlier, and the angle is the one
    between their perpendiculars (Cobb, Instructional Course Lectures 5, 1948, 261).

    Args:
        corners: Corners of all vertebrae, shape (N, 4, 2).
        curve: The curve, with an angle that is not 0.
        low: Smallest x and y of the rectangle.
        high: Largest x and y.
    """
    near_side = 0 if curve.side == "right" else 1
    near, far = (
        np.stack([corners[curve.upper, side], corners[curve.lower, 2 + side]]) for side in (near_side, 1 - near_side)
    )
    along = (near - far) / np.linalg.norm(near - far, axis=1, keepdims=True)
    vertex, lengths = _crossing(near, along)
    if (lengths > 0).all() and (vertex >= low).all() and (vertex <= high).all():
        return AngleDrawing(_lines(far, vertex), np.empty((0, 2, 2)), vertex, -along)
    down = np.stack([[-along[0, 1], along[0, 0]], [along[1, 1], -along[1, 0]]])  # from one line to the other
    down *= 1 if near_side == 1 else -1
    vertex, feet = _place_vertex(corners.mean(axis=1), near, far=far, down=down, bounds=(low, high))
    return AngleDrawing(_lines(far, feet), _lines(feet, vertex), vertex, np.stack([down[0], -down[1]]))


def _place_vertex(
    centers: Points, near: Points, *, far: Points, down: Points, bounds: tuple[Points, Points]
) -> tuple[Points, Points]:
    """Return a point beside the vertebrae and the feet of its perpendiculars, for the shortest endplate lines."""
    widths = np.linalg.norm(near - far, axis=1, keepdims=True)
    along, width = (near - far) / widths, float(widths.max())
    share, away = np.meshgrid(np.linspace(0.1, 0.9, 17), width * np.arange(0.3, 8, 0.1))
    outward = along.sum(axis=0) / np.linalg.norm(along.sum(axis=0))
    places = near[0] + share.reshape(-1, 1) * (near[1] - near[0]) + away.reshape(-1, 1) * outward
    reach = ((places[:, None] - near) * along).sum(axis=-1)  # of the endplate lines, shape (candidates, 2)
    feet = near + reach[..., None] * along
    gaps = ((places[:, None] - feet) * down).sum(axis=-1)
    points = np.concatenate([feet, places[:, None]], axis=1)
    inside = ((points >= bounds[0]) & (points <= bounds[1])).all(axis=(1, 2))
    right = (reach > 0.2 * width).all(axis=1) & (gaps > 0).all(axis=1)
    clear = np.linalg.norm(places[:, None] - centers, axis=-1).min(axis=1) > 0.9 * width
    best = int(np.argmin(reach.max(axis=1) + 1e6 * ~inside + 1e5 * ~right + 1e4 * ~clear))
    return places[best], feet[best]


def _lines(starts: Points, ends: Points) -> Points:
    return np.stack([starts, np.broadcast_to(ends, starts.shape)], axis=1)


def _crossing(starts: Points, directions: Points) -> tuple[Points, Points]:
    """Return where two lines cross, and the distances from their starts."""
    reach = np.linalg.solve(np.stack([directions[0], -directions[1]], axis=1), starts[1] - starts[0])
    return starts[0] + reach[0] * directions[0], reach
