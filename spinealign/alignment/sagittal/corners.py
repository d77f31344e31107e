"""Corners of vertebral bodies from their masks, for reference masks and predictions alike.

A corner is a soft extreme of the outline: the mean of the points of the outline, weighted by their score along a
diagonal of the body. Compared with the one most extreme point, it depends less on single pixels. Such a mean is within
the outline; by how much follows from the shape, and is taken back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray
from scipy import ndimage

Points = NDArray[np.float64]
SMOOTHING = 1.0  # pixels; standard deviation of the Gaussian that smooths a mask
STEP = 0.25  # pixels between points of an outline
TEMPERATURE = 0.1  # of the weights, in units of the score
ROUNDS = 3
DIAGONALS = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
ROUNDING = 1.7 * SMOOTHING  # smoothing along the outline of a quadrilateral that acts as the Gaussian on its mask


def mask_corners(fields: Sequence[NDArray[np.floating] | NDArray[np.bool_]]) -> Points:
    """Return the corners of bodies from their masks.

    Args:
        fields: Masks of neighboring bodies from the top, each of shape (H, W): bool, or shares in [0, 1]. The spine
            runs downwards in the image.

    Returns:
        Corners at the top left, top right, bottom left and bottom right of each body, shape (N, 4, 2): x and y in
        pixels.

    Raises:
        ValueError: If a mask is empty.
    """
    return outline_corners([outline(field) for field in fields])


def outline_corners(outlines: Sequence[Points]) -> Points:
    """Return the corners of bodies from their outlines, as `outline` makes them; otherwise as `mask_corners`."""
    centers = np.array([each.mean(axis=0) for each in outlines]).reshape(-1, 2)
    down = np.gradient(centers, axis=0) if len(centers) > 1 else np.tile([0.0, 1.0], (len(centers), 1))
    right = np.stack([down[:, 1], -down[:, 0]], axis=1)
    return np.array([_corners(*each) for each in zip(outlines, right)]).reshape(-1, 4, 2)


def endplate_middles(outlines: Sequence[Points], corners: Points) -> Points:
    """Return the middles of the superior and the inferior endplate of bodies on their outlines, shape (N, 2, 2).

    The central fifth of each endplate counts, so that a concave endplate has its middle within the body.

    Args:
        outlines: Outlines of the bodies, as `outline` makes them.
        corners: Corners of the bodies, shape (N, 4, 2).
    """
    return np.array([_middles(*each) for each in zip(outlines, corners)]).reshape(-1, 2, 2)


def _middles(points: Points, corners: Points) -> Points:
    x, y = _direction(corners) / np.linalg.norm(_direction(corners))
    axes = np.array([[x, -y], [y, x]])  # along and across the endplates
    center, width = corners.mean(axis=0), np.linalg.norm(corners[1::2] - corners[::2], axis=1).mean()
    along, across = ((points - center) @ axes).T
    central = np.abs(along) <= width / 10
    sides = [across[central & (side * across > 0)] for side in (-1, 1)]
    heights = [side.mean() if len(side) else np.nan for side in sides]
    return center + np.array([[0.0, height] for height in heights]) @ axes.T


def outline(field: NDArray[np.floating] | NDArray[np.bool_]) -> Points:
    """Return the longest outline of a smoothed mask at one half, as points (x, y) of equal distances, shape (P, 2).

    Raises:
        ValueError: If the mask is empty.
    """
    inside = np.argwhere(field >= 0.5)
    if not len(inside):
        raise ValueError("A mask of a vertebral body is empty.")
    margin = 5
    low = np.maximum(inside.min(axis=0) - margin, 0)
    rows, columns = (slice(first, last + margin + 1) for first, last in zip(low, inside.max(axis=0)))
    window = np.pad(np.asarray(field[rows, columns], dtype=np.float64), margin)
    smooth = ndimage.gaussian_filter(window, SMOOTHING, mode="constant")
    lines = [np.asarray(line, np.float64) for line in contour_generator(z=smooth).lines(0.5)]
    if not lines:
        raise ValueError("A mask of a vertebral body is too small.")
    lengths = [float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum()) for line in lines]
    return _resample(lines[int(np.argmax(lengths))]) + low[::-1] - margin


def _resample(line: Points) -> Points:
    """Return points of equal distances on a closed line."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    places = np.linspace(0, along[-1], max(round(along[-1] / STEP), 8), endpoint=False)
    return np.stack([np.interp(places, along, line[:, axis]) for axis in (0, 1)], axis=1)


def _corners(points: Points, right: Points) -> Points:
    """Return corners whose quadrilateral has the same soft extremes as the outline."""
    for _ in range(ROUNDS):
        extremes = _soft_extremes(points, right)
        right = _direction(extremes)
    corners = extremes
    for _ in range(2):
        corners = corners + extremes - _soft_extremes(_quadrilateral(corners), right)
    return corners


def _soft_extremes(points: Points, right: Points) -> Points:
    """Return the soft extremes along the diagonals of a frame, shape (4, 2); `right` is the direction of its x axis."""
    x, y = right / np.hypot(*right)
    local = (points - points.mean(axis=0)) @ np.array([[x, -y], [y, x]])
    reach = np.sort(np.abs(local), axis=0)[int(0.95 * len(local))]
    scores = (local / reach) @ DIAGONALS.T
    weights = np.exp((scores - scores.max(axis=0)) / TEMPERATURE)
    return weights.T @ points / weights.sum(axis=0)[:, None]


def _direction(corners: Points) -> Points:
    """Return the mean direction of the two endplates of a body."""
    endplates = corners[1::2] - corners[::2]
    return (endplates / np.linalg.norm(endplates, axis=1, keepdims=True)).sum(axis=0)


def _quadrilateral(corners: Points) -> Points:
    """Return the outline of a quadrilateral whose mask is smoothed."""
    points = _resample(corners[[0, 1, 3, 2, 0]])
    return ndimage.gaussian_filter1d(points, ROUNDING / STEP, axis=0, mode="wrap")
