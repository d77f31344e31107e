"""Location of vertebral bodies at the scale at which they have the size of vertebrae."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.sagittal.locating import SagittalEngine, SagittalLocation, locate_sagittal
from spinealign.alignment.sagittal.preparing import PreparedSlice, prepare_sagittal
from spinealign.imaging.slice import Slice

HEIGHTS_MM = (20.0, 36.0)  # of lumbar vertebral bodies
FEWEST = 3  # bodies that tell the scale
ZOOMS = (1.0, 0.75, 0.5, 0.4)  # factors of a spacing that may be wrong
ZOOMS_WITHOUT_SPACING = (1.0, 0.75, 1.4, 0.5)


@dataclass(frozen=True, eq=False)
class FoundSlice:
    """The vertebral bodies of an upright slice.

    Attributes:
        image: The slice.
        prepared: The slice on a grid of 1 mm.
        location: Its bodies, on this grid.
        zoom: Factor of the spacing at which they were found.
    """

    image: Slice
    prepared: PreparedSlice
    location: SagittalLocation
    zoom: float = 1.0

    @property
    def has_plausible_size(self) -> bool:
        """Whether there are enough bodies, of the height of vertebrae."""
        return is_plausible(median_height(self.location.first_corners))

    @property
    def in_mm(self) -> bool:
        """Whether values in mm can be trusted."""
        return self.prepared.in_mm and self.has_plausible_size


def find_in_slice(engine: SagittalEngine, image: Slice, *, zooms: Sequence[float] | None = None) -> FoundSlice:
    """Find the vertebral bodies of an upright slice; where their size is wrong, at other scales too.

    The first scale that gives the bodies the height of vertebrae is taken, or else the first of all. At a scale other
    than 1, the spacing is wrong or unknown.
    """
    tried: list[FoundSlice] = []
    for zoom in zooms or (ZOOMS if image.spacing_mm else ZOOMS_WITHOUT_SPACING):
        prepared = prepare_sagittal(image, zoom=zoom)
        tried.append(FoundSlice(image, prepared, locate_sagittal(engine, prepared.gray), zoom))
        if tried[-1].has_plausible_size:
            return tried[-1]
    return tried[0]


def median_height(corners: NDArray[np.float64]) -> float:
    """Return the median height of bodies with corners of shape (N, 4, 2) in pixels; 0 if there are too few bodies."""
    if len(corners) < FEWEST:
        return 0.0
    return float(np.median(np.linalg.norm(corners[:, 2:] - corners[:, :2], axis=2)))


def is_plausible(height: float) -> bool:
    """Return whether a median height in mm is that of lumbar vertebral bodies."""
    return HEIGHTS_MM[0] <= height <= HEIGHTS_MM[1]
