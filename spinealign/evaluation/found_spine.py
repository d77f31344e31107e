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
from spinealign.alignment.sagittal.locating import SagittalLocation
from spinealign.alignment.sagittal.naming import Numbering, number_bodies
from spinealign.alignment.sagittal.scaling import median_height

Points = NDArray[np.float64]
Row = tuple[float, ...]
_NO_MASK = np.zeros((1, 1), bool)


@dataclass(frozen=True)
class FoundSpine:
    """What decides the levels in a picture; places are in pixels of the picture.

    Attributes:
        bodies: From the top, for each body: x and y of its center, its area, its mean probability, its mean
            probability of L5, and 1 if the border cuts it, otherwise 0.
        sacrum: x and y of the center of S1, its area and its mean probability; None if it was not found.
        height: Median height of the bodies; 0 if there are fewer than three.
    """

    bodies: tuple[Row, ...]
    sacrum: Row | None
    height: float

    @classmethod
    def of(cls, location: SagittalLocation) -> FoundSpine:
        """Keep the numbers of a location."""
        sacrum = location.sacrum
        return cls(
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
            round(median_height(location.first_corners), 2),
        )

    @property
    def probability(self) -> float:
        """Mean probability of the bodies; 0 without one."""
        return float(np.mean([probability for *_, probability, _, _ in self.bodies])) if self.bodies else 0.0

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


def rounded(values: Iterable[float], digits: int = 2) -> Row:
    """Return rounded numbers."""
    return tuple(round(float(value), digits) for value in values)
