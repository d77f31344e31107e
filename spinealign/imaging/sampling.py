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
    left = np.minimum(x.astype(np.int32), max(width - 2, 0))
    top = np.minimum(y.astype(np.int32), max(height - 2, 0))
    right_share, down_share = x - left, y - top
    flat, corner = image.ravel(), top * width + left
    to_right, down = min(1, width - 1), width * min(1, height - 1)
    upper = flat[corner] + right_share * (flat[corner + to_right] - flat[corner])
    lower = flat[corner + down] + right_share * (flat[corner + down + to_right] - flat[corner + down])
    sampled: NDArray[np.float32] = (upper + down_share * (lower - upper)).astype(np.float32)
    return sampled
