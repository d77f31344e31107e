"""Stacks: the longest run of parallel, equally spaced slices among frames in any order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spinealign.imaging.slice import Slice
from spinealign.reading.header import FrameHeader

_DECIMALS = 2  # of positions in mm that count as one
_TURN, _STRETCH = 0.01, 0.001  # differences of unit vectors, and of spacings in mm, that do not matter
_GAP = 0.1  # steps that differ by more than this share of the usual step are gaps
_AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class Group(NamedTuple):
    """What the frames of one stack have in common; the unit is None for color."""

    orientation: tuple[float, ...] | None
    spacing_mm: tuple[float, ...] | None
    placed: bool
    size: tuple[int, int]
    unit: str | None
    series: str = ""
    localizer: bool = False


@dataclass(frozen=True)
class Place:
    """A frame with its place in a stack.

    Attributes:
        group: What it has in common with others.
        position: Center of the first pixel in mm; None if position or orientation is unknown.
        file: Index of the file.
        frame: Index of the frame in the file.
        instance: Number of the frame in its series; None if unknown.
        repetitions: Values by which frames at one position may differ, such as the echo time.
    """

    group: Group
    position: tuple[float, ...] | None
    file: int
    frame: int = 0
    instance: int | None = None
    repetitions: tuple[Hashable, ...] = ()

    @property
    def number(self) -> int:
        """Instance number, or index of the file if it is unknown."""
        return self.file if self.instance is None else self.instance

    @property
    def along(self) -> float:
        """Position along the normal of the slice in mm, or the number if the position is unknown."""
        if self.position is None:
            return self.number
        row, column = np.reshape(self.group.orientation or _AXIAL, (2, 3))
        return round(float(np.cross(row, column) @ self.position), _DECIMALS)


class Grouping:
    """Groups of frames. Orientations and spacings that are nearly equal are made equal."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, ...]] = []

    def group_of(
        self,
        image: Slice | FrameHeader,
        *,
        size: tuple[int, int],
        unit: str | None,
        series: str = "",
        localizer: bool = False,
    ) -> tuple[Group, tuple[float, ...] | None]:
        """Return the group of a frame, and its position if its orientation is known too."""
        orientation, spacing = self._same(image.orientation, _TURN), self._same(image.spacing_mm, _STRETCH)
        position = image.position_mm if orientation else None
        return Group(orientation, spacing, position is not None, size, unit, series, localizer), position

    def _same(self, values: tuple[float, ...] | None, tolerance: float) -> tuple[float, ...] | None:
        """Return the first values seen that are nearly these."""
        if values is None or values in self._seen:
            return values
        for seen in self._seen:
            if len(seen) == len(values) and np.allclose(seen, values, rtol=0, atol=tolerance):
                return seen
        self._seen.append(values)
        return values


def longest_stack(places: Sequence[Place]) -> tuple[list[Place], Counter[str]]:
    """Return the longest run of equally spaced frames that belong together, and the number of others by reason."""
    groups: dict[Group, list[Place]] = defaultdict(list)
    for place in places:
        groups[place.group].append(place)
    usable = [group for group in groups if group.unit]
    usable = [group for group in usable if not group.localizer] or usable
    chosen = max((run for group in usable for run in _runs(groups[group])), key=len, default=[])
    taken = {place.along for place in chosen}
    kept = set(chosen)
    return chosen, Counter(
        _reason(place, chosen[0].group if chosen else None, taken) for place in places if place not in kept
    )


def affine_of(places: Sequence[Place], step_mm: float = 1.0) -> tuple[NDArray[np.float64], list[str]]:
    """Return the affine of a stack, and notes on what was assumed; `step_mm` is the step if positions are unknown."""
    group, notes = places[0].group, []
    if group.spacing_mm is None:
        notes.append("The pixel spacing is unknown and was taken as 1 mm.")
    rows, columns = group.spacing_mm or (1.0, 1.0)
    along, down = np.reshape(group.orientation or _AXIAL, (2, 3))
    normal = np.cross(along, down)
    if places[0].position is None:
        step, start = normal * step_mm, np.zeros(3)
        axial = "" if group.orientation else ", and taken as axial"
        notes.append(f"Positions are unknown: the slices are in order of their numbers{axial}.")
    else:
        start, end = (np.array(place.position) for place in (places[0], places[-1]))
        step = (end - start) / (len(places) - 1)
        if np.linalg.norm(np.cross(step, normal)) > 0.01 * np.linalg.norm(step):
            notes.append("The slices are sheared, as by a tilted gantry.")
    affine = np.eye(4)
    affine[:3] = np.column_stack([step, down * rows, along * columns, start])
    return affine, notes


def listed(left_out: Counter[str]) -> str:
    """Return counts by reason as text."""
    return ", ".join(f"{count} {reason}" for reason, count in left_out.most_common() if count)


def _reason(place: Place, best: Group | None, taken: set[float]) -> str:
    """Return why a frame is not in the stack."""
    group = place.group
    if not group.unit:
        return "in color"
    if best is None or group.localizer:
        return "localizer"
    if group == best:
        return "at the position of another (duplicate or other time point)" if place.along in taken else "beyond a gap"
    for name, reason in (
        ("series", "of another series"), ("placed", "without a position" if best.placed else "with a position"),
        ("orientation", "of another orientation"), ("unit", "of another unit"),
    ):  # fmt: skip
        if getattr(group, name) != getattr(best, name):
            return reason
    return "of another size or spacing"


def _runs(places: Sequence[Place]) -> list[list[Place]]:
    """Return runs of equally spaced frames without repeated positions: of one time point, if there are several."""
    most = max(Counter(place.along for place in places).values())
    columns = range(min(len(place.repetitions) for place in places))
    telling = [column for column in columns if 1 < len({place.repetitions[column] for place in places}) <= most]
    selections: list[list[Place]] = []
    for key in (*([column] for column in telling), telling):
        parts: dict[Hashable, list[Place]] = defaultdict(list)
        for place in places:
            parts[tuple(place.repetitions[column] for column in key)].append(place)
        selections += parts.values() if len(parts) > 1 else ()
    selections.sort(key=lambda selection: min(place.number for place in selection))
    runs: list[list[Place]] = []
    for selection in (*selections, places):
        first: dict[float, Place] = {}
        for place in sorted(selection, key=lambda place: (place.number, place.file, place.frame)):
            first.setdefault(place.along, place)
        runs += _without_gaps([first[along] for along in sorted(first)])
    return runs


def _without_gaps(places: list[Place]) -> list[list[Place]]:
    if len(places) < 3 or places[0].position is None:
        return [places]
    steps = np.diff([place.position for place in places if place.position is not None], axis=0)
    usual = np.median(steps, axis=0)
    wrong = np.linalg.norm(steps - usual, axis=1) > _GAP * np.linalg.norm(usual) + 10.0**-_DECIMALS
    ends = [0, *(np.flatnonzero(wrong) + 1), len(places)]
    return [places[start:end] for start, end in pairwise(ends)]
