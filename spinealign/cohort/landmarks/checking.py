"""Checks of the corners of vertebrae that a person marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.cobb import aasce_angles
from spinealign.alignment.vertebra import order_spine, spine
from spinealign.errors import ImageError

Points = NDArray[np.float64]
WIDTH_RATIOS, HEIGHT_RATIOS = (0.75, 1.33), (0.6, 1.6)  # to the running median of five vertebrae
TILT_JUMP_DEG = 12.0  # from the running median of three
TALLEST = 2.2  # running medians
OVERLAP = 0.3  # of the height of a vertebra
TWICE = 0.3  # of the median distance of neighbors
CONTRADICTION_DEG = 1.0


@dataclass(frozen=True, eq=False)
class Checked:
    """Corners after the checks.

    Attributes:
        corners: Shape (N, 4, 2), ordered and without repetitions if their geometry determines the order.
        reliable: Whether the outline of each vertebra agrees with its neighbors, shape (N,).
        repairs: What was put right.
        doubts: Why vertebrae are not reliable.
        faults: Why the label should not be used at all.
        remarks: What else was found.
    """

    corners: Points
    reliable: NDArray[np.bool_]
    repairs: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def check_corners(corners: Points, given_angles: Sequence[float] | None = None) -> Checked:
    """Check the corners of one film in pixels, shape (N, 4, 2), and put them into order.

    Vertebrae that are marked twice, and vertebrae and corners out of order are repaired. A vertebra is not reliable if
    it overlaps a neighbor, or if its width, height or tilt jumps against its neighbors. A vertebra more than 2.2 times
    as high as its neighbors, and corners that do not form a quadrilateral, are faults.
    """
    if len(corners) < 2:
        return Checked(corners, np.ones(len(corners), bool))
    single = _marked_once(corners)
    try:
        ordered = order_spine(corners[single])
    except ImageError as error:
        return Checked(corners, np.zeros(len(corners), bool), faults=(str(error),))
    heights = _lengths(ordered, across=False)
    found = {
        "overlap": _overlapping(ordered, heights),
        "width differs from neighbors": _jumps(_lengths(ordered, across=True), WIDTH_RATIOS),
        "height differs from neighbors": _jumps(heights, HEIGHT_RATIOS),
        "tilt differs from neighbors": _tilt_jumps(ordered),
    }
    too_high = _relative(heights) > TALLEST
    return Checked(
        ordered,
        ~np.any(list(found.values()), axis=0),
        repairs=_repairs(corners, single, ordered),
        doubts=tuple(f"{reason}: {_numbers(where)}" for reason, where in found.items() if where.any()),
        faults=(f"more than {TALLEST} times as high as neighbors: {_numbers(too_high)}",) if too_high.any() else (),
        remarks=_contradictions(ordered, given_angles),
    )


def _numbers(where: NDArray[np.bool_]) -> str:
    return ", ".join(str(place + 1) for place in np.flatnonzero(where))


def _marked_once(corners: Points) -> NDArray[np.intp]:
    """Return the places of the vertebrae without those whose center is nearly that of an earlier one."""
    centers = corners.mean(axis=1)
    distance = np.linalg.norm(centers[:, None] - centers, axis=2)
    usual = np.median(np.where(np.eye(len(centers)) > 0, np.inf, distance).min(axis=1))
    return np.flatnonzero(~np.tril(distance < TWICE * usual, k=-1).any(axis=1))


def _repairs(corners: Points, single: NDArray[np.intp], ordered: Points) -> tuple[str, ...]:
    before, after = corners[single].mean(axis=1), ordered.mean(axis=1)
    place = np.linalg.norm(after[:, None] - before, axis=2).argmin(axis=1)
    twisted = (corners[single][place] != ordered).any(axis=(1, 2))
    twice = np.setdiff1d(np.arange(len(corners)), single)
    return (
        *([f"marked twice: {', '.join(str(number + 1) for number in twice)}"] if len(twice) else ()),
        *(["vertebrae out of order"] if (place != np.arange(len(place))).any() else ()),
        *([f"corners out of order: {_numbers(twisted)}"] if twisted.any() else ()),
    )


def _lengths(corners: Points, *, across: bool) -> Points:
    """Return the mean width or height of each vertebra."""
    first, second = (corners[:, ::2], corners[:, 1::2]) if across else (corners[:, :2], corners[:, 2:])
    lengths: Points = np.linalg.norm(second - first, axis=2).mean(axis=1)
    return lengths


def _relative(values: Points) -> Points:
    """Return values as multiples of their running median of five."""
    relative: Points = values / np.maximum(_running_median(values, 5), 1e-9)
    return relative


def _running_median(values: Points, size: int) -> Points:
    padded = np.pad(values, size // 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, size), axis=1)


def _jumps(values: Points, ratios: tuple[float, float]) -> NDArray[np.bool_]:
    ratio = _relative(values)
    return (ratio < ratios[0]) | (ratio > ratios[1])


def _tilt_jumps(corners: Points) -> NDArray[np.bool_]:
    across = (corners[:, 1::2] - corners[:, ::2]).sum(axis=1)
    tilts = np.degrees(np.unwrap(np.arctan2(across[:, 1], across[:, 0])))
    return np.abs(tilts - _running_median(tilts, 3)) > TILT_JUMP_DEG


def _overlapping(corners: Points, heights: Points) -> NDArray[np.bool_]:
    """Return the vertebrae that reach into a neighbor."""
    step = np.diff(corners.mean(axis=1), axis=0)
    down = step / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-9)
    gap = ((corners[1:, :2].mean(axis=1) - corners[:-1, 2:].mean(axis=1)) * down).sum(axis=1)
    over = gap < -OVERLAP * np.minimum(heights[1:], heights[:-1])
    return np.append(over, False) | np.append(False, over)


def _contradictions(corners: Points, given: Sequence[float] | None) -> tuple[str, ...]:
    if given is None or len(given) != 3:
        return ()
    difference = np.abs(np.subtract(aasce_angles(spine(corners)), given))
    names = [name for name, value in zip(("main", "upper", "lower"), difference) if value > CONTRADICTION_DEG]
    return (f"given {' and '.join(names)} angle differs by up to {difference.max():.1f} degrees",) if names else ()
