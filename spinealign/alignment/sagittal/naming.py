"""Levels of the vertebral bodies in a sagittal slice, counted from S1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spinealign.alignment.levels import LEVELS, check_known
from spinealign.alignment.sagittal.instances import PITCHES, Body, Sacrum, pitch
from spinealign.errors import ImageError

SMALLEST_COUNT = 3  # bodies
NOT_L5 = "It is not certain which vertebral body is L5."
S1_PROBABILITY = 0.75  # mean in its mask
S1_AREA = 0.7  # in median areas of a body; rests of a cut vertebra that were taken for S1 had at most 0.66
GAP = 1.4  # distance of two neighboring bodies, in medians, from which on one between them may have been missed
MISSED = "A vertebral body may have been missed between others."
L5_PROBABILITY = 0.5  # mean in the lowest body, and that it is the one among all bodies
EXTREME = 0.001  # probabilities of L5 nearer to 0 or 1 than this are not told apart


@dataclass(frozen=True)
class Numbering:
    """Names of the bodies, and what they follow from.

    Attributes:
        source: `S1` if L5 was found above S1, here or in another series of the study, `user` if a level was given,
            `bottom` if the bodies are only counted.
        probability: Estimate in [0, 1] that L5 is right as far as the image tells; 1 for `user`.
        names: Unique names from the top: levels down to L5, or V1 for the lowest body, V2 for the one above.
        certain: Whether the names are levels.
        reasons: Reasons why the levels are not certain, as sentences.
    """

    source: Literal["S1", "bottom", "user"]
    probability: float
    names: tuple[str, ...]
    certain: bool
    reasons: tuple[str, ...] = ()


def number_bodies(
    bodies: Sequence[Body],
    sacrum: Sacrum | None,
    *,
    lowest: str | None = None,
    anchor: Mapping[str, tuple[float, float]] | None = None,
) -> Numbering:
    """Name the bodies of a slice.

    The lowest body is L5 if S1 is certain and next to it, if it is more probably L5 than all others together, if there
    are at least three bodies, and if they are about equally far apart. Otherwise, the bodies are counted from below.

    Args:
        bodies: The bodies above S1, from the top.
        sacrum: S1, or None.
        lowest: Level of the lowest body, given by hand.
        anchor: Points (x, y) in pixels within bodies, by their levels, given by hand.

    Raises:
        ImageError: If a point of the anchor is in no body, or levels beyond C1 or L5 would follow.
        ValueError: If a level is unknown, or levels contradict each other.
    """
    if lowest is not None or anchor:
        return Numbering("user", 1.0, _names_by_hand(bodies, lowest, anchor=anchor or {}), True)
    reasons = _doubts(bodies, sacrum)
    probability = _probability(bodies, sacrum)
    if reasons:
        return count_from_below(len(bodies), probability=probability, reasons=reasons)
    return Numbering("S1", probability, _levels(len(bodies), lowest=LEVELS.index("L5")), True)


def count_from_below(count: int, *, probability: float, reasons: tuple[str, ...]) -> Numbering:
    """Return the numbering of bodies whose levels are not certain; see `Numbering`."""
    names = tuple(f"V{number}" for number in range(count, 0, -1))
    return Numbering("bottom", probability, names, False, reasons)


def find_gaps(bodies: Sequence[Body]) -> list[int]:
    """Return the places of bodies below which another one may have been missed."""
    if len(bodies) < SMALLEST_COUNT:
        return []
    steps = np.linalg.norm(np.diff([body.center for body in bodies], axis=0), axis=1)
    return np.flatnonzero(steps > GAP * np.median(steps)).tolist()


def s1_doubt(bodies: Sequence[Body], sacrum: Sacrum | None) -> str | None:
    """Return the reason why S1 is not certain, as a sentence, or None."""
    if sacrum is None:
        return "S1 is not in view."
    if sacrum.probability < S1_PROBABILITY:
        return "S1 is not certain."
    share = sacrum.area / float(np.median([body.area for body in bodies]))
    return "Too little of S1 is in view." if share < S1_AREA else None


def _doubts(bodies: Sequence[Body], sacrum: Sacrum | None) -> tuple[str, ...]:
    """Return reasons why the lowest body may not be L5."""
    reasons = []
    if len(bodies) < SMALLEST_COUNT:
        reasons.append(f"Fewer than {SMALLEST_COUNT} vertebral bodies were found.")
    doubt = s1_doubt(bodies, sacrum) if bodies else None
    if doubt is not None:
        reasons.append(doubt)
    if find_gaps(bodies):
        reasons.append(MISSED)
    if sacrum is None or not bodies:
        return tuple(reasons)
    if pitch(bodies[-1], sacrum) > PITCHES[1]:
        reasons.append("The lowest vertebral body is not next to S1.")
    if min(bodies[-1].l5, _l5_share(bodies)) < L5_PROBABILITY:
        reasons.append(NOT_L5)
    return tuple(reasons)


def _probability(bodies: Sequence[Body], sacrum: Sacrum | None) -> float:
    """Return the product of the probabilities of S1 and of L5 in the lowest body."""
    return sacrum.probability * _l5_share(bodies) if sacrum is not None and bodies else 0.0


def _l5_share(bodies: Sequence[Body]) -> float:
    """Return the probability that the lowest body is L5, provided that one of the bodies is.

    The mean probabilities of L5 are taken as independent, so this is the share of the odds.
    """
    probabilities = np.clip([body.l5 for body in bodies], EXTREME, 1 - EXTREME)
    odds = probabilities / (1 - probabilities)
    return float(odds[-1] / odds.sum())


def _levels(count: int, *, lowest: int) -> tuple[str, ...]:
    """Return the levels of bodies from the top; `lowest` is the place of the lowest one in `LEVELS`."""
    if lowest >= len(LEVELS) or lowest - count + 1 < 0:
        beyond = "below L5" if lowest >= len(LEVELS) else "above C1"
        raise ImageError(f"With these levels, some of the {count} vertebral bodies would be {beyond}.")
    return LEVELS[lowest - count + 1 : lowest + 1]


def _names_by_hand(
    bodies: Sequence[Body], lowest: str | None, *, anchor: Mapping[str, tuple[float, float]]
) -> tuple[str, ...]:
    check_known((*anchor, *([] if lowest is None else [lowest])))
    below = {
        level: LEVELS.index(level) + len(bodies) - 1 - _place(bodies, point, level=level)
        for level, point in anchor.items()
    }
    if lowest is not None:
        below[lowest] = LEVELS.index(lowest)
    if len(set(below.values())) > 1:
        raise ValueError(f"The levels {', '.join(below)} contradict each other in this image; give one.")
    return _levels(len(bodies), lowest=next(iter(below.values())))


def _place(bodies: Sequence[Body], point: tuple[float, float], *, level: str) -> int:
    """Return the place of the body around a point."""
    column, row = (round(value) for value in point)
    for place, body in enumerate(bodies):
        height, width = body.mask.shape
        if 0 <= row < height and 0 <= column < width and body.mask[row, column]:
            return place
    raise ImageError(f"The point ({point[0]:.0f}, {point[1]:.0f}) of {level} is in no vertebral body.")
