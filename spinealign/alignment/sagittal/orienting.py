"""Slices brought upright: superior up and anterior left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.kinds import TURNS, Turn
from spinealign.imaging.slice import Slice

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UprightSlice:
    """A slice with superior up and anterior left.

    Attributes:
        image: The slice in this orientation.
        turn: Change that brought it from the original to this orientation.
    """

    image: Slice
    turn: Turn = TURNS[0]

    def to_original(self, points: Points) -> Points:
        """Return points (x, y) of `image`, shape (..., 2), in pixels of the original."""
        return self.turn.inverse.apply_to_points(points, self.image.shape)

    def from_original(self, points: Points) -> Points:
        """Return points (x, y) of the original, shape (..., 2), in pixels of `image`."""
        return self.turn.apply_to_points(points, self.turn.inverse.apply(self.image.pixels).shape)


def turn_upright(image: Slice, turn: Turn) -> UprightSlice:
    """Return a slice in the orientation that a turn gives it."""
    return UprightSlice(image if turn == Turn() else turn.apply_to_slice(image), turn)


def header_turn(image: Slice) -> Turn:
    """Return the turn that brings a slice with known orientation upright."""
    along, down = np.reshape(np.asarray(image.orientation, dtype=np.float64), (2, 3))

    def fit(turn: Turn) -> float:
        right, below = (-along, down) if turn.mirrored else (along, down)
        for _ in range(turn.quarters):
            right, below = below, -right
        return float(right[1] - below[2])  # posterior and superior components, in patient coordinates

    return max(TURNS, key=fit)
