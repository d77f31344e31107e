"""Location of vertebral bodies in a prepared sagittal slice, and refinement of their corners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spinealign.alignment.sagittal.corners import endplate_middles, outline, outline_corners
from spinealign.alignment.sagittal.instances import (
    BODY,
    S1,
    THRESHOLD,
    Body,
    Mask,
    Sacrum,
    Structure,
    above_sacrum,
    find_bodies,
    find_sacrum,
)
from spinealign.alignment.sagittal.preparing import segmenter_input
from spinealign.imaging.frames import chain_frames, cut_crops, neighbor_features, standardize

Array = NDArray[np.float32]
Points = NDArray[np.float64]
ROUNDS = 2  # of refinement
LARGEST_MOVE = 0.35  # of a corner by refinement, in widths of its body
MARGIN = 3  # pixels around a mask within which its probabilities count


class SagittalEngine(Protocol):
    """Networks that segment sagittal slices and refine corners."""

    def segment(self, pixel_values: Array) -> Array:
        """Return logits (1, 5, H, W) for a slice of shape (1, 1, H, W)."""

    def refine(self, crops: Array, neighbors: Array) -> Array:
        """Return corners (N, 4, 2) for crops of shape (N, 1, 80, 96) and features of shape (N, 8)."""


@dataclass(frozen=True, eq=False)
class SagittalLocation:
    """Vertebral bodies of a slice, from the top, in pixels of `PreparedSlice.gray`.

    Attributes:
        probabilities: Shape (5, H, W), in the order of `cohort.masks.labeled.STRUCTURES`.
        bodies: The bodies above S1.
        corners: Refined corners, shape (N, 4, 2).
        first_corners: Corners before refinement, from the masks.
        middles: Middles of the superior and the inferior endplate on the outline, shape (N, 2, 2).
        sacrum: S1, or None.
        sacrum_endplate: Anterior and posterior end of the superior endplate of S1, shape (2, 2), or None.
    """

    probabilities: Array
    bodies: tuple[Body, ...]
    corners: Points
    first_corners: Points
    middles: Points
    sacrum: Sacrum | None
    sacrum_endplate: Points | None


def locate_sagittal(engine: SagittalEngine, gray: Array) -> SagittalLocation:
    """Locate the vertebral bodies and S1 in a prepared slice, and refine the corners of the bodies."""
    return locate_structures(engine, gray, probabilities=structure_probabilities(engine, gray))


def structure_probabilities(engine: SagittalEngine, gray: Array) -> Array:
    """Return the probability of each structure in each pixel of a slice, shape (5, H, W)."""
    height, width = gray.shape
    logits = engine.segment(segmenter_input(gray))[0, :, :height, :width]
    return (1 / (1 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32)


def locate_structures(engine: SagittalEngine | None, gray: Array, *, probabilities: Array) -> SagittalLocation:
    """Locate vertebral bodies and S1 in the probabilities of their structures, and refine the corners of bodies.

    Without engine, the corners are those of the masks.
    """
    bodies = find_bodies(probabilities)
    sacrum = find_sacrum(probabilities, bodies)
    bodies = above_sacrum(bodies, sacrum)
    fields = _fields(probabilities[BODY], bodies)
    if sacrum is not None:
        fields += _fields(probabilities[S1], [sacrum])
    outlines = [outline(field) for field in fields]
    found = outline_corners(outlines)
    first = found[: len(bodies)]
    endplate = found[-1, :2] if sacrum is not None else None
    corners = first if engine is None else refine_corners(engine, gray, first=first)
    middles = endplate_middles(outlines[: len(bodies)], corners)
    return SagittalLocation(probabilities, bodies, corners, first, middles, sacrum, endplate)


def refine_corners(engine: SagittalEngine, gray: Array, *, first: Points) -> Points:
    """Refine corners of shape (N, 4, 2); those of a body that move too far or cross each other stay as they are."""
    if len(first) < 2:  # a single body has no neighbors
        return first
    corners, limits = first, LARGEST_MOVE * chain_frames(first).widths
    for _ in range(ROUNDS):
        frames = chain_frames(corners)
        crops = standardize(np.clip(cut_crops(gray, frames), 0, 1))
        refined = frames.to_pixels(engine.refine(crops, neighbor_features(frames)).astype(np.float64))
        moved = np.linalg.norm(refined - first, axis=2).max(axis=1)
        kept = (moved <= limits) & _are_convex(refined)
        corners = np.where(kept[:, None, None], refined, first)
    return corners


def _are_convex(corners: Points) -> NDArray[np.bool_]:
    around = corners[:, [0, 1, 3, 2]]
    edges = np.roll(around, -1, axis=1) - around
    following = np.roll(edges, -1, axis=1)
    left: NDArray[np.bool_] = edges[..., 0] * following[..., 1] > edges[..., 1] * following[..., 0]
    return np.all(left, axis=1)


def _fields(probability: Array, structures: Sequence[Structure]) -> list[Array]:
    """Return the probability around each structure; each pixel counts for one of them."""
    masks = [item.mask for item in structures]
    every = np.any([*masks, np.zeros(probability.shape, bool)], axis=0)
    fields = []
    for mask in masks:
        window = _window(mask)
        own, seen = mask[window], probability[window]
        near = ndimage.binary_dilation(own, iterations=MARGIN) & (own | ~every[window])
        filled = np.where(own & (seen <= THRESHOLD), 1, seen)  # a hole of the mask
        field = np.zeros_like(probability)
        field[window] = np.where(near, filled, 0)
        fields.append(field)
    return fields


def _window(mask: Mask) -> tuple[slice, slice]:
    """Return the rows and columns of a mask and of its margin."""
    places = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    rows, columns = (slice(max(int(each[0]) - MARGIN, 0), int(each[-1]) + MARGIN + 1) for each in places)
    return rows, columns
