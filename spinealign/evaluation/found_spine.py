"""Numbers of the structures that networks found in a sagittal picture, from which the levels follow.

They are stored as they were found, so that the decision about the levels can be repeated with other limits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.sagittal.instances import Body, Sacrum
from spinealign.alignment.sagittal.locating import SagittalEngine, SagittalLocation, locate_sagittal
from spinealign.alignment.sagittal.naming import Numbering, number_bodies
from spinealign.alignment.sagittal.preparing import PreparedSlice

Points = NDArray[np.float64]
Row = tuple[float, ...]
_NO_MASK = np.zeros((1, 1), bool)


@dataclass(frozen=True)
class FoundSpine:
    """What decides the levels in a picture; places are in pixels of the picture.

    Attributes:
        size: Rows and columns of the picture.
        bodies: From the top, for each body: x and y of its center, its area, its mean probability, its mean
            probability of L5, and 1 if the border cuts it, otherwise 0.
        sacrum: x and y of the center of S1, its area and its mean probability; None if it was not found.
        height: Median height of the bodies.
    """

    size: tuple[int, int]
    bodies: tuple[Row, ...]
    sacrum: Row | None
    height: float

    @classmethod
    def of(cls, location: SagittalLocation) -> FoundSpine:
        """Keep the numbers of a location."""
        _, height, width = location.probabilities.shape
        sacrum = location.sacrum
        return cls(
            (height, width),
            tuple(
                (
                    *rounded(body.center, 1),
                    float(body.area),
                    *rounded((body.probability, body.l5), 3),
                    float(body.touches_border),
                )
                for body in location.bodies
            ),
            None
            if sacrum is None
            else (*rounded(sacrum.center, 1), float(sacrum.area), round(float(sacrum.probability), 3)),
            median_height(location.corners),
        )

    @cached_property
    def numbering(self) -> Numbering:
        """The levels, as they are decided at present."""
        bodies = [
            Body(_NO_MASK, (x, y), area, probability, l5, bool(border))
            for x, y, area, probability, l5, border in self.bodies
        ]
        if self.sacrum is None:
            return number_bodies(bodies, None)
        x, y, area, probability = self.sacrum
        return number_bodies(bodies, Sacrum(_NO_MASK, (x, y), area, probability))

    @property
    def named(self) -> int | None:
        """Place of the body that is named L5 with confidence."""
        names = self.numbering.names
        return names.index("L5") if self.numbering.certain and "L5" in names else None


def locate_gray(engine: SagittalEngine, gray: NDArray[np.float32], *, in_mm: bool = False) -> SagittalLocation:
    """Locate the bodies in a picture that is prepared."""
    display = (np.clip(gray, 0, 1) * 255).astype(np.uint8)
    return locate_sagittal(engine, PreparedSlice(gray, (1.0, 1.0), in_mm, display))


def median_height(corners: Points) -> float:
    """Return the median height of bodies with corners of shape (N, 4, 2); 0 without a body."""
    if not len(corners):
        return 0.0
    middle = corners.reshape(-1, 2, 2, 2).mean(axis=2)
    return round(float(np.median(np.linalg.norm(middle[:, 1] - middle[:, 0], axis=1))), 2)


def rounded(values: Iterable[float], digits: int = 2) -> Row:
    """Return rounded numbers."""
    return tuple(round(float(value), digits) for value in values)
