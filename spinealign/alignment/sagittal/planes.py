"""Sagittal planes of a volume: their segmentation, the midline, and how far the spine deviates to the side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.sagittal.instances import BODY, CANAL, THRESHOLD, Body
from spinealign.alignment.sagittal.locating import SagittalEngine, locate_structures, structure_probabilities
from spinealign.alignment.sagittal.preparing import PreparedSlice, prepare_sagittal
from spinealign.alignment.sagittal.scaling import FoundSlice
from spinealign.imaging.volume import Volume

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
FINE_MM, PARTS = 3.0, 8  # the midline is searched in planes of this distance, or in this many parts
SMALLEST_CANAL = 0.1  # largest area of the canal in a plane, in areas of the bodies
ENDS = 0.6  # largest share of a structure at the first and last plane, if the planes cover it
FEWEST_CENTERS = 4


class Planes:
    """The sagittal planes of a volume; each is segmented when it is needed first.

    Attributes:
        count: Number of planes.
        step_mm: Distance of neighboring planes.
        zoom: Factor of the spacing; see `prepare_sagittal`.
    """

    def __init__(self, engine: SagittalEngine | None, volume: Volume, *, zoom: float = 1.0) -> None:
        self.count, self.step_mm = volume.shape[volume.sagittal_axis], volume.spacing_mm[volume.sagittal_axis]
        self.zoom = zoom
        self._engine, self._volume = engine, volume
        self._segmented: dict[int, tuple[PreparedSlice, Array]] = {}
        self._found: dict[int, FoundSlice] = {}

    def segmented(self, index: int) -> tuple[PreparedSlice, Array]:
        """Return a prepared plane and the probability of each structure, shape (5, H, W)."""
        if index not in self._segmented:
            prepared = prepare_sagittal(self._volume.sagittal_at(index), zoom=self.zoom)
            self._segmented[index] = prepared, self._segment(prepared.gray, index)
        return self._segmented[index]

    def _segment(self, gray: Array, index: int) -> Array:
        assert self._engine is not None  # noqa: S101 - planes without engine have masks
        return structure_probabilities(self._engine, gray)

    def found(self, index: int) -> FoundSlice:
        """Return the vertebral bodies of a plane."""
        if index not in self._found:
            prepared, probabilities = self.segmented(index)
            location = locate_structures(self._engine, prepared.gray, probabilities=probabilities)
            self._found[index] = FoundSlice(self._volume.sagittal_at(index), prepared, location, self.zoom)
        return self._found[index]

    def area(self, structure: int, index: int, *, window: tuple[slice, slice] = (slice(None), slice(None))) -> float:
        """Return the area of a structure in a plane, or in a window of it, in pixels."""
        probability = self.segmented(index)[1][structure][window]
        return float(probability[probability > THRESHOLD].sum())

    def middle(self) -> int:
        """Return the plane in the middle of the spinal canal or, where it is not visible, of the vertebral bodies."""
        first, last = 0, self.count - 1
        while True:
            searched, stride = _searched(first, last, step_mm=self.step_mm)
            weights = self._weights(searched)
            if not weights.any():
                return (first + last) // 2
            center = float(weights @ searched / weights.sum())
            if stride == 1 or stride * self.step_mm <= 2 * FINE_MM:
                return round(center)
            first, last = max(int(center) - stride, 0), min(int(center) + stride + 1, self.count - 1)

    def _weights(self, searched: Sequence[int]) -> Floats:
        bodies, canals = (np.array([self.area(part, index) for index in searched]) for part in (BODY, CANAL))
        if canals.max() < SMALLEST_CANAL * bodies.max():
            return np.clip(bodies - 0.8 * bodies.max(), 0, None)
        weights: Floats = np.clip(canals - canals.max() / 2, 0, None) * (bodies > bodies.max() / 2)
        return weights

    def deviation_mm(self, bodies: Sequence[Body]) -> float | None:
        """Return how far the vertebral bodies deviate to the side from the line between the highest and the lowest.

        Args:
            bodies: The bodies in one of the planes, from the top.

        Returns:
            The largest distance of a centroid in mm, by the canal if the planes do not cover the bodies. None if they
            cover neither, or there are fewer than four bodies.
        """
        if len(bodies) < FEWEST_CENTERS:
            return None
        searched = _searched(0, self.count - 1, step_mm=self.step_mm)[0]
        heights = np.array([body.center[1] for body in bodies])
        for structure in (BODY, CANAL):
            centers = np.array([self._center(structure, body, searched) for body in bodies]) * self.step_mm
            if np.isfinite(centers).all():
                line = np.interp(heights, heights[[0, -1]], centers[[0, -1]])
                return float(np.abs(centers - line).max())
        return None

    def _center(self, structure: int, body: Body, searched: Sequence[int]) -> float:
        """Return the center of a structure at the height of a body, as an index; NaN if the planes do not cover it."""
        rows, columns = (np.flatnonzero(body.mask.any(axis=axis)) for axis in (1, 0))
        across = slice(max(columns[0] - 8, 0), columns[-1] + 9) if structure == BODY else slice(None)
        window = slice(rows[0], rows[-1] + 1), across
        areas = np.array([self.area(structure, index, window=window) for index in searched])
        if not areas.any() or max(areas[0], areas[-1]) > ENDS * areas.max():
            return np.nan
        weights = np.clip(areas - areas.max() / 2, 0, None)
        return float(weights @ searched / weights.sum())


def _searched(first: int, last: int, *, step_mm: float) -> tuple[list[int], int]:
    """Return planes of equal distances between two planes, and their distance."""
    stride = max(1, round(FINE_MM / step_mm), round((last - first) / PARTS))
    start = first + (last - first) % stride // 2
    return list(range(start, last + 1, stride)), stride
