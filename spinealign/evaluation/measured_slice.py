"""Sagittal slices in which networks found vertebral bodies, as numbers beside their reference."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.levels import LEVELS
from spinealign.alignment.sagittal.corners import endplate_middles, mask_corners, outline
from spinealign.alignment.sagittal.instances import THRESHOLD, Body
from spinealign.alignment.sagittal.locating import SagittalEngine, SagittalLocation, locate_sagittal
from spinealign.alignment.sagittal.values import sagittal_values
from spinealign.cohort.masks.labeled import BODY, DISC, L5, STRUCTURES, LabeledSlice
from spinealign.evaluation.found_spine import FoundSpine, Points, Row, rounded

Mask = NDArray[np.bool_]
SAME_BODY = 0.5  # smallest Dice of a body that is found


@dataclass(frozen=True)
class MeasuredSlice:
    """Numbers of one slice with masks: what was found, and the reference.

    Corners are rows of x and y of the four corners of a body; points are in pixels, which are mm if `in_mm`.

    Attributes:
        name: Name of the slice.
        patient: Its patient.
        source: Its collection.
        sequence: Its sequence.
        fold: Fold of the cross-validation, from 0; None outside of it.
        in_mm: Whether the spacing is reliable.
        found: What decides the levels.
        matches: For each body of the reference, from the top, the place of the found body that is the same.
        dice: Dice of these bodies, 0 for one that was not found.
        false_bodies: Found bodies that are none of the reference, outside the ignored region.
        scores: Dice of whole structures by name, `body`, `disc`, `canal` and `s1`, where they are labeled.
        leveled: Whether the lowest body of the reference is L5.
        corners: Corners of the found bodies.
        endplate: Superior endplate of S1: x and y of its ends; None if it was not found.
        middles: Middles of the superior and the inferior endplate of the found bodies.
        reference: Corners of the bodies of the reference, an empty row for one that the border cuts; empty if its
            outlines are not exact.
        reference_middles: Middles of its endplates.
        disc_border: Lower border of the L5-S1 disc of the reference: x and y of its ends; None if it is not known.
    """

    name: str
    patient: str
    source: str
    sequence: str
    fold: int | None
    in_mm: bool
    found: FoundSpine
    matches: tuple[int | None, ...]
    dice: Row
    false_bodies: int
    scores: dict[str, float] = field(default_factory=dict)
    leveled: bool = False
    corners: tuple[Row, ...] = ()
    endplate: Row | None = None
    middles: tuple[Row, ...] = ()
    reference: tuple[Row, ...] = ()
    reference_middles: tuple[Row, ...] = ()
    disc_border: Row | None = None

    @property
    def without_corners(self) -> MeasuredSlice:
        """The slice without what its measures follow from, which takes most of the space."""
        return replace(self, corners=(), middles=(), reference=(), reference_middles=())

    @property
    def number(self) -> int:
        """Number of the slice in its volume, by its name; 0 without one."""
        found = re.findall(r"\d+", self.name)
        return int(found[-1]) if found else 0

    @property
    def l5(self) -> int | None:
        """Place of the found body that is L5."""
        return self.matches[-1] if self.leveled else None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bodies of the reference, from the top."""
        count = len(self.matches)
        lowest = LEVELS.index("L5") + 1
        return LEVELS[lowest - count : lowest] if self.leveled else tuple(f"V{n}" for n in range(count, 0, -1))

    @cached_property
    def values(self) -> dict[str, float]:
        """Measures of the found bodies under the names of the reference."""
        return self._values(self.corners, self.middles, endplate=self.endplate, places=self.matches)

    @cached_property
    def reference_values(self) -> dict[str, float]:
        """Measures of the reference; those up to S1 are up to the lower border of the L5-S1 disc."""
        places = range(len(self.reference))
        return self._values(self.reference, self.reference_middles, endplate=self.disc_border, places=places)

    def _values(
        self, corners: Sequence[Row], middles: Sequence[Row], *, endplate: Row | None, places: Sequence[int | None]
    ) -> dict[str, float]:
        """Return the measures of bodies, whose places in the rows are in the order of the reference."""
        known = [place if row else None for place, row in zip(places, self.reference)]

        def chosen(rows: Sequence[Row], size: int) -> NDArray[np.float64]:
            missing = (np.nan,) * size
            return np.array([missing if place is None else rows[place] or missing for place in known])

        return sagittal_values(
            chosen(corners, 8).reshape(-1, 4, 2),
            self.names[: len(known)],
            middles=chosen(middles, 4).reshape(-1, 2, 2),
            sacrum_endplate=None if endplate is None or not self.leveled else np.reshape(endplate, (2, 2)),
        )


def measure_slice(engine: SagittalEngine, item: LabeledSlice, *, fold: int | None = None) -> MeasuredSlice:
    """Find the bodies of a slice with masks, and compare them with its reference."""
    location = locate_sagittal(engine, item.gray)
    masks = item.body_masks()
    matches, dice = _match(location.bodies, masks)
    unknown = (item.ignored & BODY) > 0
    others = [body.mask for place, body in enumerate(location.bodies) if place not in matches]
    leveled = bool(masks) and bool(item.mask(L5)[masks[-1]].mean() > 0.5)
    reference = mask_corners(masks) if item.exact and masks else np.zeros((0, 4, 2))
    whole = np.array([_complete(mask) for mask in masks[: len(reference)]], bool)
    reference = np.where(whole[:, None, None], reference, np.nan)
    return MeasuredSlice(
        item.name,
        item.patient,
        item.source,
        item.sequence,
        fold,
        item.in_mm,
        FoundSpine.of(location),
        matches,
        dice,
        false_bodies=sum(bool(mask[unknown].sum() < mask.sum() / 2) for mask in others),
        scores=_scores(location, item),
        leveled=leveled,
        corners=_rows(location.corners),
        endplate=None if location.sacrum_endplate is None else rounded(location.sacrum_endplate.ravel()),
        middles=_rows(location.middles, 1),
        reference=_rows(reference),
        reference_middles=_rows(endplate_middles([outline(mask) for mask in masks[: len(reference)]], reference), 1),
        disc_border=_disc_border(item, masks[-1]) if leveled else None,
    )


def overlap(one: Mask, other: Mask) -> float:
    """Return the Dice coefficient of two masks; 1 if both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


def _match(bodies: Sequence[Body], masks: Sequence[Mask]) -> tuple[tuple[int | None, ...], Row]:
    """Return the place of the found body that is each mask, and its Dice."""
    matches: list[int | None] = []
    dice = []
    for mask in masks:
        scores = [overlap(body.mask, mask) for body in bodies]
        best = int(np.argmax(scores)) if scores else None
        same = best is not None and scores[best] > SAME_BODY
        matches.append(best if same else None)
        dice.append(round(scores[best], 4) if same and best is not None else 0.0)
    return tuple(matches), tuple(dice)


def _scores(location: SagittalLocation, item: LabeledSlice) -> dict[str, float]:
    """Return the Dice of each labeled structure, outside of the region in which it is unknown."""
    scores = {}
    for place, name in enumerate(STRUCTURES):
        bit = 1 << place
        known = (item.ignored & bit) == 0
        if bit == L5 or not (item.mask(bit) & known).any():
            continue
        found = (
            np.any([body.mask for body in location.bodies] or [np.zeros_like(known)], axis=0)
            if bit == BODY
            else location.probabilities[place] > THRESHOLD
        )
        scores[name] = round(overlap(found & known, item.mask(bit) & known), 4)
    return scores


def _complete(mask: Mask) -> bool:
    """Return whether the border of the slice does not cut a mask."""
    return not any(side.any() for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))


def _disc_border(item: LabeledSlice, lowest: Mask) -> Row | None:
    """Return the lower border of the disc below the lowest body, if there is one."""
    from scipy import ndimage

    labels, count = ndimage.label(item.mask(DISC))
    y, x = (places.mean() for places in np.nonzero(lowest))
    reach = 1.5 * float(np.sqrt(lowest.sum()))
    for number, (row, column) in enumerate(ndimage.center_of_mass(labels, labels, range(1, count + 1)), start=1):
        if row > y and np.hypot(row - y, column - x) < reach:
            return rounded(mask_corners([labels == number])[0, 2:].ravel())
    return None


def _rows(points: Points, digits: int = 2) -> tuple[Row, ...]:
    """Return one row for each body; an empty one without finite points."""
    return tuple(rounded(each, digits) if np.isfinite(each).all() else () for each in map(np.ravel, points))
