"""One film whose vertebrae were found by networks, beside its reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.locating import Location
from spinealign.alignment.measuring import AASCE, angles_of
from spinealign.alignment.preparing import PreparedFilm
from spinealign.alignment.vertebra import spine
from spinealign.cohort.landmarks.film import Film

Points = NDArray[np.float64]
LARGEST_OFFSET = 2  # levels


@dataclass(frozen=True)
class MeasuredFilm:
    """Numbers of one film: what was measured, and the reference.

    Attributes:
        file: Name of the film.
        split: Its split.
        group: Films of one group may show the same radiograph or patient.
        count: Number of vertebrae that were found.
        peak: Their mean confidence.
        measures: Angle in degrees by name of the measure, 0 without a curve.
        second: The same for the vertebrae of the second network.
        reference: The same for the corners that a person marked; for the measures of the challenge, its given angles.
        landmark_error: Median distance of the corners from the reference, as a share of the width of the vertebra, at
            the best offset; None if too few vertebrae were found.
        offset: Number of levels by which the chain is shifted down against the reference.
        fold: Fold of the cross-validation, from 0; None outside of it.
        clean: Whether no film of another split is in its group.
        accepted: Whether the model accepts the film.
    """

    file: str
    split: str
    group: str
    count: int
    peak: float
    measures: dict[str, float]
    second: dict[str, float]
    reference: dict[str, float]
    landmark_error: float | None = None
    offset: int = 0
    fold: int | None = None
    clean: bool = True
    accepted: bool = True

    def error(self, name: str) -> float:
        """Return measured minus reference in degrees."""
        return self.measures[name] - self.reference[name]

    def disagreement(self, name: str) -> float:
        """Return the absolute difference of both networks in degrees."""
        return abs(self.measures[name] - self.second[name])


def measure_film(
    film: Film, location: Location, *, prepared: PreparedFilm, fold: int | None = None, clean: bool = True
) -> MeasuredFilm:
    """Measure the vertebrae that were found in a film, and its reference."""
    found, second = prepared.to_original(location.corners), prepared.to_original(location.second)
    reference = angles_of(spine(film.points))
    if film.given_angles is not None and len(film.given_angles) == len(AASCE):
        reference |= dict(zip(AASCE, film.given_angles))
    error, offset = landmark_error(found, film.points)
    return MeasuredFilm(
        file=film.path.name,
        split=film.split,
        group=film.group,
        count=len(found),
        peak=float(location.peaks.mean()) if len(found) else 0.0,
        measures=angles_of(spine(found)),
        second=angles_of(spine(second)),
        reference=reference,
        landmark_error=error,
        offset=offset,
        fold=fold,
        clean=clean,
    )


def landmark_error(found: Points, reference: Points) -> tuple[float | None, int]:
    """Return the median distance of corners as a share of the vertebra's width, and the offset of the chain.

    A chain that begins a level too low or too high has the right outlines under the wrong numbers, so the distances are
    measured at the offset, up to 2 levels, with the smallest distance of the centers.

    Args:
        found: Shape (N, 4, 2).
        reference: Shape (M, 4, 2).
    """
    pairs = {
        offset: _overlap(found, reference, offset)
        for offset in sorted(range(-LARGEST_OFFSET, LARGEST_OFFSET + 1), key=abs)
    }
    usable = {offset: pair for offset, pair in pairs.items() if len(pair[0]) >= 3}
    if not usable:
        return None, 0

    def distance(offset: int) -> float:
        one, other = usable[offset]
        return float(np.median(np.linalg.norm(one.mean(axis=1) - other.mean(axis=1), axis=1)))

    best = min(usable, key=distance)
    one, other = usable[best]
    widths = np.linalg.norm(other[:, 1::2] - other[:, ::2], axis=2).mean(axis=1)
    return float(np.median(np.linalg.norm(one - other, axis=2) / widths[:, None])), best


def _overlap(found: Points, reference: Points, offset: int) -> Sequence[Points]:
    """Return the vertebrae that correspond if the found chain begins `offset` levels below the reference."""
    one, other = found[max(0, -offset) :], reference[max(0, offset) :]
    count = min(len(one), len(other))
    return one[:count], other[:count]
