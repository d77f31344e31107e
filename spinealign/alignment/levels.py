"""Anatomical levels of visible vertebrae."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from spinealign.alignment.vertebra import Vertebra
from spinealign.errors import ImageError

LEVELS = (
    *(f"C{number}" for number in range(1, 8)),
    *(f"T{number}" for number in range(1, 13)),
    *(f"L{number}" for number in range(1, 6)),
)


def check_known(levels: Iterable[str]) -> None:
    """Raise a ValueError if one of the levels is unknown."""
    for level in levels:
        if level not in LEVELS:
            raise ValueError(f"Unknown level {level!r}; use C1 to C7, T1 to T12 or L1 to L5.")


def check_anchor(anchor: Mapping[str, int]) -> None:
    """Check what can be said of an anchor without an image.

    Args:
        anchor: Number of a vertebra, counted from the top of the visible ones from 1, by its level, such as
            `{"L5": 17}`.

    Raises:
        ValueError: If a level is unknown, a number is not positive, or two levels contradict each other.
    """
    check_known(anchor)
    for level, number in anchor.items():
        if not isinstance(number, int):
            raise ValueError(f"In x-rays, {level} is given by the number of its vertebra from the top, got {number!r}.")
        if number < 1:
            raise ValueError(f"Vertebrae are counted from 1 at the top; {level} cannot be number {number}.")
    if len({LEVELS.index(level) - number for level, number in anchor.items()}) > 1:
        given = ", ".join(f"{level}={number}" for level, number in anchor.items())
        raise ValueError(f"The anchors {given} contradict each other; give one.")


def name_levels(vertebrae: Sequence[Vertebra], anchor: Mapping[str, int]) -> tuple[Vertebra, ...]:
    """Return vertebrae with the levels that follow from known ones, for 12 thoracic and 5 lumbar vertebrae.

    Args:
        vertebrae: The visible vertebrae, from the top.
        anchor: As for `check_anchor`; empty to leave the levels unknown.

    Raises:
        ImageError: If the anchor is not visible, or a visible vertebra would be above C1 or below L5.
        ValueError: As `check_anchor`.

    Example:
        >>> from spinealign.alignment.vertebra import spine
        >>> import numpy as np
        >>> [each.name for each in name_levels(spine(np.zeros((3, 4, 2))), {"L1": 2})]
        ['T12', 'L1', 'L2']
    """
    check_anchor(anchor)
    if not anchor:
        return tuple(vertebrae)
    level, number = max(anchor.items(), key=lambda item: item[1])
    start, count = LEVELS.index(level) - number + 1, len(vertebrae)
    if number > count:
        raise ImageError(f"Only {count} vertebrae are visible, so {level} cannot be number {number}.")
    if start < 0 or start + count > len(LEVELS):
        beyond = "above C1" if start < 0 else "below L5"
        raise ImageError(f"If number {number} of {count} visible vertebrae is {level}, others are {beyond}.")
    return tuple(replace(each, level=LEVELS[start + place]) for place, each in enumerate(vertebrae))
