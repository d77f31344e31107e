"""Bilinear samples of an image at any places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sample_bilinear(
    image: NDArray[np.float32], x: NDArray[np.float32], *, y: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Interpolate an image between its pixel centers; outside of it, its edge is continued.

    Args:
        image: Shape (H, W).
        x: Columns, of any shape; 0 is the center of the first column.
        y: Rows, of the same shape.

    Returns:
        Values of the shape of `x`.

    Example:
        >>> image = np.array([[0, 10], [20, 30]], dtype=np.float32)
        >>> float(sample_bilinear(image, np.float32(0.5), y=np.float32(0.5)))
        15.0
    """
    height, width = image.shape
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = x.astype(np.int32), y.astype(np.int32)
    right_share, down_share = x - left, y - top
    padded = np.pad(image, ((0, 1), (0, 1)), mode="edge")
    flat, corner = padded.ravel(), top * (width + 1) + left
    upper, lower = (
        flat[place] + right_share * (flat[place + 1] - flat[place]) for place in (corner, corner + width + 1)
    )
    sampled: NDArray[np.float32] = (upper + down_share * (lower - upper)).astype(np.float32)
    return sampled
