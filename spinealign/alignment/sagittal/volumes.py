"""The spine in a volume or in one slice: names, values, and how they vary from slice to slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.sagittal.instances import Body, Structure
from spinealign.alignment.sagittal.locating import SagittalEngine
from spinealign.alignment.sagittal.naming import Numbering, count_from_below, number_bodies, s1_doubt
from spinealign.alignment.sagittal.planes import Planes
from spinealign.alignment.sagittal.scaling import FoundSlice, find_in_slice
from spinealign.alignment.sagittal.values import sagittal_values
from spinealign.imaging.volume import Volume

Points = NDArray[np.float64]
Anchor = Mapping[str, tuple[float, float]]
REACH_MM = 3.0  # from the midline, of the slices that are measured
MEASURED = 5  # slices at most
NEAR = 0.5  # distance of the centers of one body in two slices, in roots of its area
AGREEMENT = 0.5  # smallest share of slices with the same levels
DISAGREEMENT = "Neighboring slices disagree about the levels."


@dataclass(frozen=True, eq=False)
class SagittalSpine:
    """The vertebral bodies of one slice, with what neighboring slices say about them.

    Attributes:
        found: The slice with its bodies.
        numbering: Names of the bodies.
        values: Values by the name of the measure: medians over the slices.
        spreads: Standard deviation over the slices.
        slices: Number of slices that were measured.
        index: Index of the slice in its volume; None for a single slice.
        deviation_mm: Deviation of the bodies to the side; None if it was not measured.
    """

    found: FoundSlice
    numbering: Numbering
    values: dict[str, float]
    spreads: dict[str, float] = field(default_factory=dict)
    slices: int = 1
    index: int | None = None
    deviation_mm: float | None = None


def spine_of_slice(
    found: FoundSlice,
    *,
    lowest: str | None = None,
    anchor: Anchor | None = None,
    numbering: Numbering | None = None,
) -> SagittalSpine:
    """Name and measure the bodies of a slice; see `spine_of_volume`."""
    bodies, sacrum = found.location.bodies, found.location.sacrum
    numbering = numbering or number_bodies(bodies, sacrum, lowest=lowest, anchor=anchor)
    return SagittalSpine(found, numbering, _values(found, numbering.names, bodies=bodies))


def find_midline(engine: SagittalEngine, volume: Volume) -> tuple[Planes, int]:
    """Return the planes of a volume, at the scale at which the bodies have the size of vertebrae, and the midline."""
    planes = Planes(engine, volume)
    middle = planes.middle()
    if planes.found(middle).has_plausible_size:
        return planes, middle
    zoom = find_in_slice(engine, volume.sagittal_at(middle)).zoom
    return planes if zoom == 1 else Planes(engine, volume, zoom=zoom), middle


def spine_of_volume(
    planes: Planes,
    middle: int,
    *,
    lowest: str | None = None,
    anchor: Anchor | None = None,
    numbering: Numbering | None = None,
) -> SagittalSpine:
    """Name and measure the bodies in the planes near the midline.

    Without levels given by hand, the plane nearest to the midline in which the levels are certain gives the outlines,
    and the levels hold if they are the same in at least half of the planes.

    Args:
        planes: The planes.
        middle: Index of the plane at the midline.
        lowest: Level of the lowest body in this plane, given by hand.
        anchor: Points in bodies of this plane by their levels, given by hand, in pixels of its grid.
        numbering: Names that replace those that were found for the same volume before.
    """
    near = _near(middle, planes)
    found = {index: planes.found(index) for index in near}
    if lowest is not None or anchor:
        index = middle
        bodies, sacrum = found[index].location.bodies, found[index].location.sacrum
        numbering = number_bodies(bodies, sacrum, lowest=lowest, anchor=anchor)
    else:
        index, agreed = _agreed(found)
        numbering = numbering or agreed
    bodies = found[index].location.bodies
    measured = [_values(each, numbering.names, bodies=bodies) for each in found.values()]
    names = measured[near.index(index)]
    stacks = {name: np.array([values[name] for values in measured if name in values]) for name in names}
    return SagittalSpine(
        found[index],
        numbering,
        {name: float(np.median(stack)) for name, stack in stacks.items()},
        {name: float(stack.std()) for name, stack in stacks.items()},
        len(near),
        index,
        planes.deviation_mm(bodies) if found[index].in_mm else None,
    )


def match_bodies(bodies: Sequence[Structure], others: Sequence[Structure]) -> list[int | None]:
    """Return the place of each body among those of another slice; None where it is missing."""
    places: list[int | None] = []
    for body in bodies:
        distances = [np.hypot(body.center[0] - each.center[0], body.center[1] - each.center[1]) for each in others]
        nearest = int(np.argmin(distances)) if distances else 0
        places.append(nearest if distances and distances[nearest] <= NEAR * np.sqrt(body.area) else None)
    return places


def _near(middle: int, planes: Planes) -> list[int]:
    """Return the planes within reach of the midline, the nearest first."""
    reach = int(REACH_MM / planes.step_mm + 1e-6)
    first, last = max(middle - reach, 0), min(middle + reach, planes.count - 1)
    chosen = np.linspace(first, last, min(last - first + 1, MEASURED)).round().astype(int)
    near = sorted({middle, *chosen.tolist()}, key=lambda index: (abs(index - middle), index))
    return near[:MEASURED]


def _agreed(found: Mapping[int, FoundSlice]) -> tuple[int, Numbering]:
    """Return the plane that gives the outlines, and the levels on which the planes agree; the first is the midline."""
    own = {index: number_bodies(each.location.bodies, each.location.sacrum) for index, each in found.items()}
    reference = next((index for index, numbering in own.items() if numbering.certain), next(iter(own)))
    numbering = own[reference]
    if not numbering.certain or len(own) == 1:
        return reference, numbering
    bodies, agreeing = found[reference].location.bodies, 0
    for index, other in own.items():
        places = match_bodies(bodies, found[index].location.bodies)
        same = [other.names[place] == name for name, place in zip(numbering.names, places) if place is not None]
        agreeing += other.certain and bool(same) and all(same)
    share = agreeing / len(own)
    probability = float(np.mean([other.probability for other in own.values()])) * share
    if share >= AGREEMENT:
        return reference, replace(numbering, probability=probability)
    return reference, count_from_below(len(bodies), probability=probability, reasons=(DISAGREEMENT,))


def _values(found: FoundSlice, names: Sequence[str], *, bodies: Sequence[Body]) -> dict[str, float]:
    """Return the values of bodies, which may be those of another slice, in a slice; without those that it cuts."""
    location = found.location
    places = match_bodies(bodies, location.bodies)
    corners, middles = np.full((len(places), 4, 2), np.nan), np.full((len(places), 2, 2), np.nan)
    for number, place in enumerate(places):
        if place is not None and not location.bodies[place].touches_border:
            corners[number], middles[number] = location.corners[place], location.middles[place]
    next_to_sacrum = bool(places) and places[-1] == len(location.bodies) - 1 and names[-1] == "L5"
    certain = next_to_sacrum and s1_doubt(location.bodies, location.sacrum) is None
    endplate = location.sacrum_endplate if certain else None
    return sagittal_values(corners, names, middles=middles, sacrum_endplate=endplate)
