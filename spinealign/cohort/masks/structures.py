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
_LEAST_SOLIDITY = 0.82  # area of a body through that of its convex hull
_LARGEST_STEP = 58.0  # pixels between the centers of neighboring bodies
_TO_DISC = (10.0, 34.0)  # pixels between the centers of L5 and of the disc below it
_CANAL_ROWS = 30  # fewer do not show where bodies end
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
    masks = {name: labels == CODES[name] for name in ("disc", "canal", "S1", "vertebra", "ignore")}
    if "vertebra" in drawn.labeled:
        found, unclear, from_l5 = _cut_at_canal(masks["vertebra"], masks["disc"], masks["canal"])
    else:
        found, unclear, from_l5 = _by_level(labels)
    if len(found) < FEWEST_BODIES:
        passed.add(f"slice with fewer than {FEWEST_BODIES} bodies", drawn.name)
        return None
    from_l5 = from_l5 and drawn.levels
    bodies = np.zeros(labels.shape, np.uint8)
    for number, mask in enumerate(found, start=1):
        bodies[mask] = number
    body = bodies > 0
    above = above_highest(found) & ~body
    disc, canal = masks["disc"] & ~body, masks["canal"] & ~body
    sacral = _sacrum(gray, found, masks, labeled="S1" in drawn.labeled, from_l5=from_l5)
    structures = BODY * body + L5 * ((bodies == 1) & from_l5) + S1 * sacral.mask + DISC * disc + CANAL * canal
    ignored = BODY * ((above | unclear) & ~body) + S1 * sacral.ignored + L5 * np.full(labels.shape, not from_l5)
    ignored += DISC * (~disc & (above if disc.any() else True)) + CANAL * _beyond(canal)
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
class _Sacral:
    """Mask of S1, where it is unknown, and the center of its superior endplate."""

    mask: Mask
    ignored: Mask
    top: tuple[float, float] | None = None


def _sacrum(
    gray: NDArray[np.float32], found: Bodies, masks: dict[str, Mask], *, labeled: bool, from_l5: bool
) -> _Sacral:
    nothing = np.zeros(gray.shape, bool)
    if labeled:
        mask = masks["S1"]
        return _Sacral(mask, nothing, _top(mask, _center(found[0])) if mask.any() else None)
    if not from_l5:
        return _Sacral(nothing, ~nothing)
    body = np.logical_or.reduce(found)
    frame = frame_below(found, masks["disc"])
    grown = grow_s1(gray, frame, blocked=body | masks["disc"] | masks["canal"], body=found[0])
    visible = bool((np.array(frame.origin) < np.array(gray.shape[::-1]) - 3).all())
    ignored = ignored_around(gray.shape, frame, grown) & ~body
    return _Sacral(nothing if grown is None else grown, ignored, frame.origin if visible else None)


def above_highest(bodies: Bodies) -> Mask:
    """Return the mask of what is above the highest body, across the axis of the spine; bodies from the lowest."""
    top = _center(bodies[-1])
    way = top - _center(bodies[-2]) if len(bodies) > 1 else np.array([0.0, -1.0])
    way /= np.linalg.norm(way)
    y, x = np.indices(bodies[-1].shape)
    along = (x - top[0]) * way[0] + (y - top[1]) * way[1]
    above: Mask = along > np.percentile(along[bodies[-1]], 90)
    return above


def _by_level(labels: NDArray[np.uint8]) -> tuple[Bodies, Mask, bool]:
    """Return the bodies that are labeled by level, without a gap, unclear pixels, and whether the first is L5."""
    found: Bodies = []
    unclear = np.zeros(labels.shape, bool)
    first = 0
    for code in range(1, len(BODIES) + 1):
        labeled = labels == code
        parts = _parts(labeled)
        mask = max(parts, key=np.count_nonzero) if parts else None
        gap = found and (mask is None or np.linalg.norm(_center(mask) - _center(found[-1])) > _LARGEST_STEP)
        if gap or (mask is not None and not is_body(mask)):
            unclear |= np.isin(labels, range(code, len(BODIES) + 1))
            break
        if mask is not None:
            first = first or code
            found.append(mask)
            unclear |= labeled & ~mask
    return found, unclear, first == CODES["L5"]


def _cut_at_canal(vertebra: Mask, disc: Mask, canal: Mask) -> tuple[Bodies, Mask, bool]:
    """Return the bodies of whole vertebrae above the lowest disc, as `_by_level`: what is in front of the canal."""
    rows = np.flatnonzero(canal.any(axis=1))
    if len(rows) < _CANAL_ROWS or not disc.any():
        return [], vertebra, False
    back = np.interp(np.arange(len(canal)), rows, canal.argmax(axis=1)[rows]) + _CANAL_GAP
    front = ndimage.binary_opening(vertebra & (np.arange(canal.shape[1]) < back[:, None]), iterations=2)
    lowest = max((_center(part) for part in _parts(disc, least=60)), key=lambda center: center[1], default=None)
    if lowest is None:
        return [], vertebra, False
    found = sorted((part for part in _parts(front) if is_body(part)), key=lambda part: -_center(part)[1])
    found = [part for part in found if _center(part)[1] < lowest[1] - 3]
    steps = [np.linalg.norm(_center(upper) - _center(lower)) for lower, upper in pairwise(found)]
    found = found[: next((place for place, step in enumerate(steps, start=1) if step > _LARGEST_STEP), len(found))]
    from_l5 = bool(found) and bool(_TO_DISC[0] < np.linalg.norm(_center(found[0]) - lowest) < _TO_DISC[1])
    body = np.logical_or.reduce(found) if found else np.zeros_like(vertebra)
    return found, vertebra & ~body, from_l5


def is_body(mask: Mask) -> bool:
    """Return whether a mask is large and compact enough for a vertebral body."""
    from skimage.measure import regionprops

    region = regionprops(mask.astype(np.uint8))[0]
    return bool(region.area >= _LEAST_AREA and region.solidity > _LEAST_SOLIDITY)


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
