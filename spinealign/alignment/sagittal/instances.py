"""Vertebral bodies and S1 as separate masks, from the probabilities of a segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
OUTPUTS = 5
BODY, L5, S1, DISC, CANAL = range(OUTPUTS)  # outputs of the segmenter
THRESHOLD = 0.5
SMALLEST_AREA = 80.0  # pixels; a body of 0.6 times the usual size has about 250
SMALLEST_SHARE = 0.35  # of the median area
LARGEST_SHARE = 2.2
TYPICAL_PITCH = 1.25  # distance of neighboring bodies, in roots of their mean area
PITCHES = (0.6, 2.0)
LARGEST_BEND_DEG = 50.0
NECK = 0.75  # width of the connection of two merged bodies, in widths of the narrower one


@dataclass(frozen=True, eq=False)
class Structure:
    """A vertebral body or S1 in a slice.

    Attributes:
        mask: Shape (H, W).
        center: Centroid (x, y) in pixels.
        area: Pixels.
        probability: Mean probability of the structure in the mask.
    """

    mask: Mask
    center: tuple[float, float]
    area: float
    probability: float


@dataclass(frozen=True, eq=False)
class Body(Structure):
    """A vertebral body in a slice.

    Attributes:
        l5: Mean probability of L5 in the mask.
        touches_border: Whether the border of the slice cuts the body.
    """

    l5: float
    touches_border: bool


@dataclass(frozen=True, eq=False)
class Sacrum(Structure):
    """The first sacral vertebra in a slice."""


def find_bodies(probabilities: Array) -> tuple[Body, ...]:
    """Return the vertebral bodies on the curve of the spine, from the top.

    Sizes are relative to the median body, so that they hold for an unknown spacing too.

    Args:
        probabilities: Shape (5, H, W), in the order of `cohort.masks.labeled.STRUCTURES`.
    """
    pieces = [part for piece in _components(probabilities[BODY]) for part in _split(piece)]
    bodies = [_body(part, probabilities) for part in pieces]
    smallest = SMALLEST_SHARE * float(np.median([body.area for body in bodies])) if bodies else 0
    return _chain(sorted((body for body in bodies if body.area >= smallest), key=lambda body: body.center[1]))


def find_sacrum(probabilities: Array, bodies: Sequence[Body]) -> Sacrum | None:
    """Return the largest part of S1 near the lowest bodies, or None.

    Args:
        probabilities: As for `find_bodies`.
        bodies: The bodies, from the top.
    """
    if not bodies:
        return None
    size = float(np.sqrt(np.median([body.area for body in bodies])))
    lowest = [body.center for body in bodies[-3:]]
    found = []
    for mask in _components(probabilities[S1]):
        center, area = _center(mask), float(mask.sum())
        near = min(np.hypot(center[0] - x, center[1] - y) for x, y in lowest) <= PITCHES[1] * size
        if near and area >= (SMALLEST_SHARE / 2) * size**2 and center[1] > lowest[0][1]:
            found.append(Sacrum(mask, center, area, float(probabilities[S1][mask].mean())))
    return max(found, key=lambda each: each.area * each.probability, default=None)


def above_sacrum(bodies: Sequence[Body], sacrum: Sacrum | None) -> tuple[Body, ...]:
    """Return the bodies down to the one next to S1; all without S1. What is below S1 is not a lumbar body."""
    if sacrum is None:
        return tuple(bodies)
    upper = [body for body in bodies if body.center[1] < sacrum.center[1]]
    if not upper:
        return ()
    nearest = min(range(len(upper)), key=lambda place: _distance(upper[place], sacrum))
    return tuple(upper[: nearest + 1])


def pitch(upper: Structure, lower: Structure) -> float:
    """Return the distance of two structures, in roots of their mean area."""
    return _distance(upper, lower) / float(np.sqrt((upper.area + lower.area) / 2))


def _components(probability: Array) -> list[Mask]:
    """Return the connected parts of a structure without thin bridges and holes, and without specks."""
    labels, _ = ndimage.label(ndimage.binary_opening(probability > THRESHOLD, _disc(2)))
    parts = []
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        own = labels[window] == number
        if own.sum() >= SMALLEST_AREA:
            part = np.zeros(labels.shape, bool)
            part[window] = ndimage.binary_fill_holes(own)
            parts.append(part)
    return parts


def _disc(radius: int) -> Mask:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x**2 + y**2 <= radius**2


def _split(mask: Mask) -> list[Mask]:
    """Split bodies that are merged through a neck: each pixel belongs to the nearest of their middles."""
    rows, columns = ndimage.find_objects(mask.astype(np.uint8))[0]
    window = np.pad(mask[rows, columns], 1)
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(window).astype(np.float32), 1.0)
    reach = max(round(float(depth.max())), 2)
    tops = np.argwhere((depth == ndimage.maximum_filter(depth, 2 * reach + 1)) & (depth > 0.4 * depth.max()))
    middles: list[NDArray[np.int64]] = []
    for top in sorted(tops, key=lambda place: -depth[tuple(place)]):
        if all(_is_neck(depth, top, other) for other in middles):
            middles.append(top)
    if len(middles) < 2:
        return [mask]
    inside = np.argwhere(window)
    owner = np.argmin([((inside - middle) ** 2).sum(axis=1) for middle in middles], axis=0)
    parts = []
    for number in range(len(middles)):
        part = np.zeros_like(mask)
        place = inside[owner == number] + (rows.start - 1, columns.start - 1)
        part[place[:, 0], place[:, 1]] = True
        parts.append(part)
    return parts


def _is_neck(depth: Array, first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    """Return whether two middles are one above the other, and the mask is narrow between them."""
    down, across = np.abs(first - second)
    line = np.linspace(first, second, 2 * int(max(down, across)) + 1).round().astype(int)
    narrowest = depth[line[:, 0], line[:, 1]].min()
    return bool(down > across and narrowest < NECK * min(depth[tuple(first)], depth[tuple(second)]))


def _body(mask: Mask, probabilities: Array) -> Body:
    border = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    body, l5 = (float(probabilities[place][mask].mean()) for place in (BODY, L5))
    return Body(mask, _center(mask), float(mask.sum()), body, l5, bool(border))


def _center(mask: Mask) -> tuple[float, float]:
    y, x = np.nonzero(mask)
    return float(x.mean()), float(y.mean())


def _distance(first: Structure, second: Structure) -> float:
    return float(np.hypot(first.center[0] - second.center[0], first.center[1] - second.center[1]))


def _chain(bodies: Sequence[Body]) -> tuple[Body, ...]:
    """Return the bodies of the best smooth curve; what is elsewhere, as in the bladder, is left out.

    The best chain has the largest sum of gains of its bodies, less the penalties of its steps and bends. A chain is
    built over its last two bodies.
    """
    if len(bodies) < 2:
        return tuple(bodies)
    centers = np.array([body.center for body in bodies])
    median = float(np.median([body.area for body in bodies]))
    gains = [body.probability * min(body.area / median, 1.0) for body in bodies]
    best: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {}
    chains = [(gain, (place,)) for place, gain in enumerate(gains)]
    for lower, upper in product(range(len(bodies)), repeat=2):
        cost = _step_cost(bodies[upper], bodies[lower]) if upper < lower else None
        if cost is None:
            continue
        options: list[tuple[float, tuple[int, ...]]] = [(gains[upper], (upper,))]
        for before in range(upper):
            if (before, upper) in best:
                bend = _bend_deg(centers[[before, upper, lower]])
                score, places = best[before, upper]
                if bend <= LARGEST_BEND_DEG:
                    options.append((score - 0.5 * (bend / LARGEST_BEND_DEG) ** 2, places))
        score, places = max(options)
        best[upper, lower] = (score + gains[lower] - cost, (*places, lower))
    return tuple(bodies[place] for place in max([*chains, *best.values()])[1])


def _step_cost(upper: Body, lower: Body) -> float | None:
    """Return the penalty of neighbors by their distance, direction and sizes; None if they cannot be neighbors."""
    step = pitch(upper, lower)
    across, down = abs(lower.center[0] - upper.center[0]), lower.center[1] - upper.center[1]
    cut = upper.touches_border or lower.touches_border
    ratio = 1.0 if cut else max(upper.area, lower.area) / min(upper.area, lower.area)
    if not (PITCHES[0] <= step <= PITCHES[1] and down > 0.5 * across and ratio <= LARGEST_SHARE):
        return None
    return float(np.log(step / TYPICAL_PITCH) ** 2 / 2 + np.log(ratio) ** 2 / 4)


def _bend_deg(points: NDArray[np.float64]) -> float:
    """Return the angle between two following steps."""
    steps = np.diff(points, axis=0)
    turn = np.diff(np.arctan2(steps[:, 1], steps[:, 0]))[0]
    return float(np.degrees(np.abs((turn + np.pi) % (2 * np.pi) - np.pi)))
