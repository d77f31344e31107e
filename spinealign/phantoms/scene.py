"""Drawing of a landscape, to test a model on an image that is not CT."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def draw_scene(size: int = 384) -> NDArray[np.float32]:
    """Draw hills under a sun, in gray levels of shape (size, size)."""
    y, x = np.mgrid[0:size, 0:size] / size
    scene = 215 - 90 * y
    scene[np.hypot(x - 0.72, y - 0.25) < 0.11] = 250
    for height, depth, level in ((0.55, 0.10, 130.0), (0.68, 0.07, 90.0), (0.82, 0.05, 55.0)):
        scene[y > height + depth * np.sin(2 * np.pi * (x / (3 * depth + 0.4) + 7 * height))] = level
    return scene.astype(np.float32)
