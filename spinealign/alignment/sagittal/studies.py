"""Levels on which several series of one study agree, by the places of the vertebrae in the patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.levels import LEVELS
from spinealign.alignment.result import Alignment
from spinealign.alignment.sagittal.measuring import NO_SPACING
from spinealign.alignment.sagittal.naming import MISSED, NOT_L5, Numbering, count_from_below
from spinealign.alignment.sagittal.volumes import DISAGREEMENT as SLICES_DISAGREE
from spinealign.imaging.slice import Slice
from spinealign.imaging.volume import Volume

Points = NDArray[np.float64]
NEAR_MM = 12.0  # distance of the centers of one body in two series; about half the height of a body
DISAGREEMENT = "The series of this patient disagree about the levels."
TAKEN = "Levels taken from another series of this patient."
NOT_COMPARED = "No other series shows the same vertebrae at a known place, so the levels were not compared."
DOUBTS = {NOT_L5, MISSED, SLICES_DISAGREE}  # a series with one of them speaks against levels


@dataclass(frozen=True, eq=False)
class PlacedSpine:
    """The vertebral bodies of one series.

    Attributes:
        numbering: Their names.
        centers: Their centers in mm towards posterior and superior, shape (N, 2), empty if the place in the patient is
            unknown. The side does not matter: sagittal slices beside each other cut the same bodies.
    """

    numbering: Numbering
    centers: Points

    def shared_with(self, other: PlacedSpine) -> list[tuple[int, int]]:
        """Return the places of the same body in two series."""
        if not len(self.centers) or not len(other.centers):
            return []
        distances = np.linalg.norm(self.centers[:, None] - other.centers, axis=2)
        nearest = distances.argmin(axis=1)
        return [(place, int(found)) for place, found in enumerate(nearest) if distances[place, found] <= NEAR_MM]

    def contradicts(self, other: PlacedSpine) -> bool:
        """Return whether both series have levels, but different ones for the same body."""
        if not (self.numbering.certain and other.numbering.certain):
            return False
        return any(self.numbering.names[one] != other.numbering.names[two] for one, two in self.shared_with(other))


def agree(series: Sequence[tuple[Slice | Volume, Alignment]], measure: Callable[..., Alignment]) -> list[Alignment]:
    """Return the alignments of series of one study, named alike.

    Series that name the same body differently lose their levels. Others take the smaller probability. A series whose
    levels are not certain takes those of the others, if they all give it the same ones. Series whose place in the
    patient is unknown are not compared.

    Args:
        series: Images with their alignments, all accepted sagittal MR.
        measure: Function that measures an image again with another `numbering`.
    """
    spines = [_place(*item) for item in series]
    results = []
    for place, (image, alignment) in enumerate(series):
        numbering, note = common_numbering(spines, place)
        if alignment.numbering is not None and numbering.names != alignment.numbering.names:
            alignment = measure(image, numbering=numbering)  # noqa: PLW2901
        notes = (*alignment.notes, *([note] if note else []))
        results.append(replace(alignment, numbering=numbering, notes=notes))
    return results


def common_numbering(spines: Sequence[PlacedSpine], place: int) -> tuple[Numbering, str | None]:
    """Return the numbering of one of several series of a patient, with a note on where it comes from; see `agree`."""
    own = spines[place]
    numbering = own.numbering
    others = [other for number, other in enumerate(spines) if number != place and own.shared_with(other)]
    if not others:
        return numbering, NOT_COMPARED
    opposed = [other for other in others if own.contradicts(other)]
    if opposed:
        probability = _smallest([own, *opposed]) / 2  # at most one of them is right
        return count_from_below(len(numbering.names), probability=probability, reasons=(DISAGREEMENT,)), None
    givers = [
        other
        for other in others
        if other.numbering.certain and not any(other.contradicts(another) for another in spines)
    ]
    if numbering.certain:
        return replace(numbering, probability=_smallest([own, *givers])), None
    names_of_givers = {_names_from(own, other) for other in givers}
    names = next(iter(names_of_givers)) if len(names_of_givers) == 1 else None
    if names is None or DOUBTS.intersection(numbering.reasons):
        return numbering, None
    return Numbering("S1", _smallest(givers), names, True), TAKEN


def _smallest(spines: Sequence[PlacedSpine]) -> float:
    return min(spine.numbering.probability for spine in spines)


def _names_from(own: PlacedSpine, other: PlacedSpine) -> tuple[str, ...] | None:
    """Return the names that another series with levels gives to bodies; None if it gives none that are possible."""
    count = len(own.numbering.names)
    below = {
        LEVELS.index(other.numbering.names[two]) + count - 1 - one for one, two in own.shared_with(other)
    }  # the lowest body, by each shared one
    lowest = below.pop()
    if below or lowest >= len(LEVELS) or lowest - count + 1 < 0:
        return None
    return LEVELS[lowest - count + 1 : lowest + 1]


def _place(image: Slice | Volume, alignment: Alignment) -> PlacedSpine:
    if alignment.numbering is None:
        raise ValueError("Expected the alignment of an accepted sagittal MR.")
    plane: Slice | None = image if isinstance(image, Slice) else None
    if isinstance(image, Volume) and image.placed and alignment.slice_index is not None:
        plane = image.sagittal_at(alignment.slice_index)
    known = plane is not None and NO_SPACING not in alignment.notes
    centers = np.array([vertebra.center for vertebra in alignment.vertebrae])
    places = plane.to_patient(centers) if plane is not None and known else None
    return PlacedSpine(alignment.numbering, np.zeros((0, 2)) if places is None else places[:, 1:])
