"""Masks of structures and of what is unknown, from label images."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from spinealign.alignment.sagittal.preparing import prepare_sagittal
from spinealign.cohort.masks.drawn import BODIES, CODES, DrawnSlice
from spinealign.cohort.masks.labeled import BODY, CANAL, DISC, L5, S1, LabeledSlice, Mask
from spinealign.cohort.masks.s1_labels import frame_below, grow_s1, ignored_around
from spinealign.reading.tally import Tally

FEWEST_BODIES = 4
_LEAST_AREA = 200  # pixels of a body
_LEAST_DISC = 60  # pixels
_STRAY = 20  # pixels; smaller parts of discs and the canal are removed
_LEAST_SOLIDITY = 0.82  # area of a body through that of its convex hull
_LARGEST_STEP = 58.0  # pixels between the centers of neighboring bodies
TO_DISC = (10.0, 34.0)  # pixels between the centers of L5 and of the disc below it
_CANAL_ROWS = 30  # fewer do not show where bodies end
_BRIDGE = 2  # half the width of bridges between bodies and arches, in pixels
_CANAL_GAP = 2  # pixels between the back of a body and the canal
_ALL = BODY | L5 | S1 | DISC | CANAL

Bodies = list[Mask]  # from the lowest upwards


def label_slice(drawn: DrawnSlice, passed: Tally) -> LabeledSlice | None:
    """Return a slice on the grid of 1 mm with masks, or None, counted, if it has too few bodies.

    Raises:
        MissingDependencyError: If scikit-image is not installed.
    """
    gray = prepare_sagittal(drawn.image).gray
    labels = np.asarray(Image.fromarray(drawn.labels).resize(gray.shape[::-1], Image.Resampling.NEAREST))
    masks = {name: labels == CODES[name] for name in ("S1", "vertebra", "ignore")}
    for name in ("disc", "canal"):
        masks[name] = np.logical_or.reduce([np.zeros(labels.shape, bool), *_parts(labels == CODES[name], least=_STRAY)])
    if "vertebra" in drawn.labeled:
        found, unclear, from_l5 = _above_lowest_disc(masks["vertebra"], masks["disc"], masks["canal"])
    else:
        found, unclear, from_l5 = _by_level(labels, masks["canal"], whole=drawn.whole)
    if len(found) < FEWEST_BODIES:
        passed.add(f"slice with fewer than {FEWEST_BODIES} bodies", drawn.name)
        return None
    from_l5 = from_l5 and drawn.levels
    bodies = number_bodies(found)
    body = bodies > 0
    beyond = beyond_last(found) if from_l5 else beyond_last(found) | beyond_last(found[::-1])
    disc, canal = masks["disc"] & ~body, masks["canal"] & ~body
    nothing = np.zeros(labels.shape, bool)
    if "S1" in drawn.labeled:
        s1 = masks["S1"] & ~body
        sacral = Sacral(s1, nothing, _top(s1, _center(found[0])) if s1.any() else None)
    elif from_l5:
        sacral = place_s1(gray, found, disc=disc, blocked=body | disc | canal)
    else:
        sacral = Sacral(nothing, ~nothing)
    structures = BODY * body + L5 * ((bodies == 1) & from_l5) + S1 * sacral.mask + DISC * disc + CANAL * canal
    ignored = BODY * ((beyond | unclear) & ~body) + S1 * sacral.ignored + L5 * np.full(labels.shape, not from_l5)
    ignored += DISC * (~disc & (beyond if disc.any() else True)) + CANAL * _beyond(canal)
    ignored[masks["ignore"]] = _ALL
    return LabeledSlice(
        drawn.name,
        drawn.patient,
        drawn.source,
        gray,
        bodies,
        structures.astype(np.uint8),
        ignored.astype(np.uint8),
        sequence=drawn.sequence,
        split=drawn.split,
        sacrum=sacral.top,
        in_mm=drawn.in_mm,
    )


@dataclass(frozen=True, eq=False)
class Sacral:
    """Mask of S1, where it is unknown, and the center (x, y) of its superior endplate."""

    mask: Mask
    ignored: Mask
    top: tuple[float, float] | None = None


def place_s1(
    gray: NDArray[np.float32], bodies: Bodies, *, disc: Mask, blocked: Mask, known: Mask | None = None
) -> Sacral:
    """Return S1 below bodies from L5 upwards, by `known`, its mask, or else by `grow_s1`."""
    frame = frame_below(bodies, disc)
    mask = known if known is not None else grow_s1(gray, frame, blocked=blocked, body=bodies[0])
    ignored = ignored_around(gray.shape, frame, s1=mask) & ~np.logical_or.reduce(bodies)
    if mask is not None:
        return Sacral(mask, ignored, _top(mask, _center(bodies[0])))
    visible = bool((np.array(frame.origin) < np.array(gray.shape[::-1]) - 3).all())
    return Sacral(np.zeros(gray.shape, bool), ignored, frame.origin if visible else None)


def number_bodies(bodies: Bodies) -> NDArray[np.uint8]:
    """Return an image of numbers of bodies, from 1 for the first."""
    numbers = np.zeros(bodies[0].shape, np.uint8)
    for number, mask in enumerate(bodies, start=1):
        numbers[mask] = number
    return numbers


def beyond_last(bodies: Bodies) -> Mask:
    """Return the mask of what is beyond the last of at least two bodies, across the axis of the spine."""
    before, last = _center(bodies[-2]), _center(bodies[-1])
    way = (last - before) / np.linalg.norm(last - before)
    y, x = np.indices(bodies[-1].shape)
    along = (x - last[0]) * way[0] + (y - last[1]) * way[1]
    beyond: Mask = along > np.percentile(along[bodies[-1]], 90)
    return beyond


def _by_level(labels: NDArray[np.uint8], canal: Mask, *, whole: bool) -> tuple[Bodies, Mask, bool]:
    """Return the bodies that are labeled by level, without a gap, unclear pixels, and whether the first is L5."""
    found: Bodies = []
    unclear = np.zeros(labels.shape, bool)
    first = 0
    for code in range(1, len(BODIES) + 1):
        labeled = labels == code
        parts = _in_front(labeled, canal) if whole else _parts(labeled)
        mask = max(parts, key=np.count_nonzero) if parts else None
        gap = found and (mask is None or np.linalg.norm(_center(mask) - _center(found[-1])) > _LARGEST_STEP)
        if gap or (whole and mask is not None and not is_body(mask)):
            unclear |= np.isin(labels, range(code, len(BODIES) + 1))
            break
        if mask is not None:
            first = first or code
            found.append(mask)
            unclear |= labeled & ~mask
    return found, unclear, first == CODES["L5"]


def _above_lowest_disc(vertebra: Mask, disc: Mask, canal: Mask) -> tuple[Bodies, Mask, bool]:
    """Return the bodies of vertebrae without levels above the lowest disc, if there is one, as `_by_level`."""
    discs = [_center(part) for part in _parts(disc, least=_LEAST_DISC)]
    lowest = max(discs, key=lambda center: center[1], default=np.full(2, np.inf))
    parts = [part for part in _in_front(vertebra, canal) if is_body(part)]
    found = sorted((part for part in parts if _center(part)[1] < lowest[1] - 3), key=lambda part: -_center(part)[1])
    steps = [np.linalg.norm(_center(upper) - _center(lower)) for lower, upper in pairwise(found)]
    found = found[: next((place for place, step in enumerate(steps, start=1) if step > _LARGEST_STEP), len(found))]
    from_l5 = bool(found) and bool(TO_DISC[0] < np.linalg.norm(_center(found[0]) - lowest) < TO_DISC[1])
    body = np.logical_or.reduce(found) if found else np.zeros_like(vertebra)
    return found, vertebra & ~body, from_l5


def _in_front(vertebra: Mask, canal: Mask) -> list[Mask]:
    """Return the parts of vertebrae in front of the canal, as far as it is labeled, cut at thin bridges."""
    rows = np.flatnonzero(canal.any(axis=1))
    if len(rows) >= _CANAL_ROWS:
        back = np.interp(np.arange(len(canal)), rows, canal.argmax(axis=1)[rows]) + _CANAL_GAP
        vertebra = vertebra & (np.arange(canal.shape[1]) < back[:, None])
    opened = ndimage.binary_opening(vertebra, iterations=_BRIDGE)
    return [ndimage.binary_dilation(part, iterations=_BRIDGE, mask=vertebra) for part in _parts(opened)]


def is_body(mask: Mask) -> bool:
    """Return whether a mask is large and compact enough for a vertebral body."""
    opened = ndimage.binary_opening(mask, iterations=_BRIDGE)
    return bool(np.count_nonzero(opened) >= _LEAST_AREA and solidity(opened) > _LEAST_SOLIDITY)


def solidity(mask: Mask) -> float:
    """Return the area of a mask through that of its convex hull."""
    from skimage.measure import regionprops

    return float(regionprops(mask.astype(np.uint8))[0].solidity)


def _parts(mask: Mask, *, least: int = _LEAST_AREA) -> list[Mask]:
    numbers, count = ndimage.label(mask)
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)
    return [numbers == number for number in range(1, count + 1) if sizes[number] >= least]


def _center(mask: Mask) -> NDArray[np.float64]:
    y, x = np.nonzero(mask)
    return np.array([x.mean(), y.mean()])


def _beyond(canal: Mask) -> Mask:
    """Return where the canal is unknown: above and below its labeled part."""
    rows = np.flatnonzero(canal.any(axis=1))
    inside = (np.arange(len(canal)) >= rows[0]) & (np.arange(len(canal)) <= rows[-1]) if len(rows) else np.zeros(1)
    return np.broadcast_to(~inside.astype(bool)[:, None], canal.shape)


def _top(mask: Mask, above: NDArray[np.float64]) -> tuple[float, float]:
    """Return the center of the side of a mask that faces a point."""
    y, x = np.nonzero(mask)
    way = _center(mask) - above
    along = x * way[0] + y * way[1]
    near = along <= np.percentile(along, 10)
    return float(x[near].mean()), float(y[near].mean())
