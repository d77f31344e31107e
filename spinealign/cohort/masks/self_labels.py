"""Labels of series with boxes of discs, from the probabilities of a segmenter."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from spinealign.alignment.sagittal.instances import Array, Body, find_bodies, find_sacrum
from spinealign.cohort.masks.boxed import Box, BoxedSlice
from spinealign.cohort.masks.labeled import BODY, CANAL, DISC, L5, S1, STRUCTURES, LabeledSlice, Mask
from spinealign.cohort.masks.structures import (
    FEWEST_BODIES,
    TO_DISC,
    beyond_last,
    is_body,
    number_bodies,
    place_s1,
    solidity,
)

_DISC = STRUCTURES.index("disc")
_S1_AREAS = (0.5, 1.4)  # of that of L5
_S1_SOLIDITY = 0.9
_S1_ACROSS, _S1_BELOW = (-12.0, 32.0), (8.0, 32.0)  # pixels from the center of the disc L5-S1 to that of S1
_BOX_MARGIN = 6.0  # pixels around a box in which a disc is unknown


def label_boxed(boxed: BoxedSlice, probabilities: Array) -> LabeledSlice | None:
    """Return the labels of a series, named by the boxes of its discs.

    Bodies above the box of L5-S1 are positive, and the lowest of them is L5; what is below is negative, and what is
    above the highest one is ignored.

    Args:
        boxed: The series.
        probabilities: Probabilities of the structures by a segmenter, shape (5, H, W).

    Returns:
        The labels, which are not `exact`; None if the levels are uncertain, if there are too few bodies, or if bodies
        and boxes do not alternate.

    Raises:
        MissingDependencyError: If scikit-image is not installed.
    """
    if 1 not in boxed.discs or not boxed.certain:
        return None
    x, y = _center(boxed.discs[1])
    above = [body for body in reversed(find_bodies(probabilities)) if body.center[1] < y - 5]
    found = [body.mask for body in _between_boxes(above, boxed)]
    if len(found) < FEWEST_BODIES or not TO_DISC[0] < np.hypot(*np.subtract(above[0].center, (x, y))) < TO_DISC[1]:
        return None
    bodies = number_bodies(found)
    body, unlabeled = bodies > 0, beyond_last(found)
    boxes = list(boxed.discs.values())
    disc = (probabilities[_DISC] > 0.5) & _inside(boxes, body.shape, 1.0) & ~body
    lowest = disc & _inside([boxed.discs[1]], body.shape, 1.0)
    s1 = _plausible_s1(probabilities, above, (x, y))
    around = _inside(boxes, body.shape, _BOX_MARGIN)
    sacral = place_s1(boxed.gray, found, disc=lowest, blocked=body | disc, known=None if s1 is None else s1 & ~body)
    structures = BODY * body + L5 * (bodies == 1) + S1 * sacral.mask + DISC * (disc & ~sacral.mask)
    ignored = BODY * (unlabeled & ~body) + S1 * sacral.ignored + DISC * ((around | unlabeled) & ~disc) + CANAL
    return LabeledSlice(
        boxed.name,
        boxed.patient,
        boxed.source,
        boxed.gray,
        bodies,
        structures.astype(np.uint8),
        np.broadcast_to(ignored, bodies.shape).astype(np.uint8),
        sequence=boxed.sequence,
        sacrum=sacral.top,
        exact=False,
        in_mm=boxed.in_mm,
    )


def _between_boxes(bodies: list[Body], boxed: BoxedSlice) -> list[Body]:
    """Return the bodies from below, up to one that is not compact or not between the boxes of its two discs."""
    kept: list[Body] = []
    for number, body in enumerate(bodies, start=1):
        below, above = boxed.discs.get(number), boxed.discs.get(number + 1)
        level = body.center[1]
        between = (not below or level < _center(below)[1]) and (not above or level > _center(above)[1])
        if not (between and is_body(body.mask)):
            break
        kept.append(body)
    return kept


def _plausible_s1(probabilities: Array, bodies: list[Body], disc: tuple[float, float]) -> Mask | None:
    """Return the mask of S1 by a segmenter if its size, shape and place below the disc L5-S1 are plausible, or None."""
    sacrum = find_sacrum(probabilities, bodies[::-1])
    if sacrum is None or not _S1_AREAS[0] < sacrum.area / bodies[0].area < _S1_AREAS[1]:
        return None
    across, below = np.subtract(sacrum.center, disc)
    plausible = _S1_ACROSS[0] < across < _S1_ACROSS[1] and _S1_BELOW[0] < below < _S1_BELOW[1]
    return sacrum.mask if plausible and solidity(sacrum.mask) > _S1_SOLIDITY else None


def _inside(boxes: Iterable[Box], shape: tuple[int, ...], margin: float) -> Mask:
    y, x = np.indices(shape)
    inside = np.zeros(shape, bool)
    for x0, y0, x1, y1 in boxes:
        inside |= (x > x0 - margin) & (x < x1 + margin) & (y > y0 - margin) & (y < y1 + margin)
    return inside


def _center(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
