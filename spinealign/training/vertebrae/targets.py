"""Target maps of a locator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.maps import FIRST, STRIDE, scale_position

Array = NDArray[np.float32]
SPREAD = 0.25  # standard deviation of the peak of a vertebra, as a share of its width and height
VOTING = 0.3  # cells with at least this target vote for the corners


def target_maps(corners: NDArray[np.float64], shape: tuple[int, int], *, count: int) -> tuple[Array, Array, Array]:
    """Return the targets of an image.

    Args:
        corners: Shape (N, 4, 2) in pixels of the input, from the top; N may be 0.
        shape: Height and width of the input.
        count: Vertebrae of a whole chain.

    Returns:
        The center map (h, w), offsets to the corners (8, h, w) and positions (1, h, w).
    """
    rows, columns = shape[0] // STRIDE, shape[1] // STRIDE
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    if not len(corners):
        return np.zeros_like(x), np.zeros((8, rows, columns), np.float32), np.zeros((1, rows, columns), np.float32)
    cells = ((corners - FIRST) / STRIDE).astype(np.float32)
    centers = cells.mean(axis=1)
    across = (cells[:, 1] + cells[:, 3] - cells[:, 0] - cells[:, 2]) / 2
    along = (cells[:, 2] + cells[:, 3] - cells[:, 0] - cells[:, 1]) / 2
    area = np.maximum(across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0], 0.5)[:, None, None]
    dx, dy = x - centers[:, 0, None, None], y - centers[:, 1, None, None]
    u = (dx * along[:, 1, None, None] - dy * along[:, 0, None, None]) / area
    v = (dy * across[:, 0, None, None] - dx * across[:, 1, None, None]) / area
    heats = np.exp(-0.5 * (u**2 + v**2) / SPREAD**2)
    owner = heats.argmax(axis=0)
    heat = heats.max(axis=0)
    nearest = centers.round().astype(int)
    inside = (nearest >= 0).all(axis=1) & (nearest < (columns, rows)).all(axis=1)
    kept = nearest[inside]
    heat[kept[:, 1], kept[:, 0]], owner[kept[:, 1], kept[:, 0]] = 1, np.flatnonzero(inside)
    offsets = cells[owner] - np.stack([x, y], -1)[:, :, None]
    positions = scale_position(owner.astype(np.float64), count)[None]
    return heat, offsets.reshape(rows, columns, 8).transpose(2, 0, 1).copy(), positions.astype(np.float32)
