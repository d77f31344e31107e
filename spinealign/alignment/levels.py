"""Anatomical levels of visible vertebrae."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from spinealign.alignment.vertebra import Vertebra

LEVELS = (
    *(f"C{number}" for number in range(1, 8)),
    *(f"T{number}" for number in range(1, 13)),
    *(f"L{number}" for number in range(1, 6)),
)


def name_levels(vertebrae: Sequence[Vertebra], anchor: Mapping[str, int]) -> tuple[Vertebra, ...]:
    """Return vertebrae with the levels that follow from known ones, for 12 thoracic and 5 lumbar vertebrae.

    Args:
        vertebrae: The visible vertebrae, from the top.
        anchor: Number of a vertebra, counted from the top of the visible ones from 1, by its level, such as
            `{"L5": 17}`.

    Raises:
        ValueError: If a level is unknown, a number is not visible, two anchors contradict each other, or a visible
            vertebra would be above C1 or below L5.

    Example:
        >>> from spinealign.alignment.vertebra import spine
        >>> import numpy as np
        >>> [each.name for each in name_levels(spine(np.zeros((3, 4, 2))), {"L1": 2})]
        ['T12', 'L1', 'L2']
    """
    if not anchor:
        return tuple(vertebrae)
    for level, number in anchor.items():
        if level not in LEVELS:
            raise ValueError(f"There is no vertebra {level!r}; use one of C1 to C7, T1 to T12 and L1 to L5.")
        if not 1 <= number <= len(vertebrae):
            raise ValueError(f"{level} cannot be vertebra {number} of {len(vertebrae)} visible ones.")
    starts = {LEVELS.index(level) - number + 1 for level, number in anchor.items()}
    if len(starts) > 1:
        given = ", ".join(f"{level}={number}" for level, number in anchor.items())
        raise ValueError(f"The anchors {given} contradict each other; give one.")
    start = starts.pop()
    if start < 0 or start + len(vertebrae) > len(LEVELS):
        level, number = next(iter(anchor.items()))
        end = "above C1" if start < 0 else "below L5"
        raise ValueError(
            f"If vertebra {number} of {len(vertebrae)} visible ones is {level}, others are {end}; check the number."
        )
    return tuple(replace(each, level=LEVELS[start + place]) for place, each in enumerate(vertebrae))
