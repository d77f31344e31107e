"""Output maps of a locator, and the chain of vertebrae in them.

A cell covers 4 x 4 pixels of the input. Its channels are the logit of the center of a vertebra, the offsets (x, y) in
cells to the corners at the top left, top right, bottom left and bottom right, and the position in the chain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]
Points = NDArray[np.float64]
STRIDE = 4
FIRST = (STRIDE - 1) / 2  # pixel of the center of the first cell
LOWEST_PEAK = 0.02
POSITION_WEIGHT, PITCH_WEIGHT, SHIFT_WEIGHT = 0.15, 4.0, 0.02  # chosen on held-out training films
PITCH_RANGE = (0.6, 1.7)  # distance of neighbors in heights of a vertebra with its disc


@dataclass(frozen=True, eq=False)
class Chain:
    """Vertebrae that a locator found, from the top.

    Attributes:
        corners: Shape (N, 4, 2) in pixels of the input; N may be 0.
        peaks: Height of the peak of each vertebra in [0, 1].
    """

    corners: Points
    peaks: Points


def scale_position(position: Points, count: int) -> Points:
    """Return positions in a chain, from 0, on the scale of the maps."""
    return (position - (count - 1) / 2) / 4


def decode_chain(maps: Maps, *, count: int = 17) -> Chain:
    """Find the best ordered chain of at most `count` vertebrae by dynamic programming.

    Candidates are the local maxima of the center map. A chain is scored by its peaks, by the positions that the
    candidates claim, and by the distances of neighbors.

    Args:
        maps: Shape (10, h, w).
        count: Vertebrae of a whole chain.
    """
    heat = 1 / (1 + np.exp(-maps[0].astype(np.float64)))
    corners, positions, peaks = _candidates(maps.astype(np.float64), heat, count)
    if not len(peaks):
        return Chain(np.zeros((0, 4, 2)), np.zeros(0))
    single = np.log(peaks) - np.log(LOWEST_PEAK)
    single = single - POSITION_WEIGHT * np.abs(positions - np.arange(count)[:, None])  # (count, candidates)
    pairs = _pair_scores(corners)
    best, previous = single.copy(), np.full(single.shape, -1)
    for place in range(1, count):
        reached = best[place - 1][:, None] + pairs
        before = reached.argmax(axis=0)
        gain = reached[before, np.arange(len(peaks))]
        best[place] += np.maximum(gain, 0)
        previous[place] = np.where(gain > 0, before, -1)
    place, last = np.unravel_index(best.argmax(), best.shape)
    chain = [int(last)]
    while place > 0 and previous[place, chain[-1]] >= 0:
        chain.append(int(previous[place, chain[-1]]))
        place -= 1
    chain.reverse()
    return Chain(corners[chain], peaks[chain])


def _candidates(maps: Points, heat: Points, count: int) -> tuple[Points, Points, Points]:
    """Return corners in pixels, positions and peaks of the local maxima; neighboring cells vote with their heat."""
    rows, columns = heat.shape
    padded = np.pad(heat, 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    y, x = np.nonzero((heat == windows.max(axis=(2, 3))) & (heat > LOWEST_PEAK))
    votes = windows[y, x]
    near_y = np.clip(y[:, None, None] + np.arange(-1, 2)[:, None], 0, rows - 1)
    near_x = np.clip(x[:, None, None] + np.arange(-1, 2), 0, columns - 1)
    near_y, near_x = np.broadcast_arrays(near_y, near_x)
    weights = votes / votes.sum(axis=(1, 2), keepdims=True)
    voted = maps[:, near_y, near_x]
    offsets = np.stack([voted[1:9:2] + near_x, voted[2:9:2] + near_y], axis=-1)  # (4, n, 3, 3, 2)
    corners = (offsets * weights[..., None]).sum(axis=(2, 3)).transpose(1, 0, 2) * STRIDE + FIRST
    positions = (voted[9] * weights).sum(axis=(1, 2)) * 4 + (count - 1) / 2
    return corners, positions, heat[y, x]


def _pair_scores(corners: Points) -> Points:
    """Return the score of each pair of candidates as upper and lower neighbor; minus infinity for impossible pairs."""
    heights = np.linalg.norm((corners[:, 2] + corners[:, 3] - corners[:, 0] - corners[:, 1]) / 2, axis=1)
    centers = corners.mean(axis=1)
    away = centers[None] - centers[:, None]
    ratio = np.linalg.norm(away, axis=2) / np.maximum(0.6 * (heights[:, None] + heights[None, :]), 1)
    possible = (away[..., 1] > 0) & (ratio >= PITCH_RANGE[0]) & (ratio <= PITCH_RANGE[1])
    shift = np.abs(away[..., 0])
    scores = -PITCH_WEIGHT * np.abs(np.log(np.where(possible, ratio, 1))) - SHIFT_WEIGHT * shift
    return np.where(possible, scores, -np.inf)
