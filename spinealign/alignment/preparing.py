"""Preparation of an x-ray for the networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.imaging.slice import Slice

Array = NDArray[np.float32]
FINE_HEIGHT, LARGEST_WIDTH = 1024, 2048
TALL_SHAPE = (1024, 256)
LOW, HIGH = -0.2, 1.3  # range of the gray levels, where 0 and 1 are the first and last percentile
MEAN, DEVIATION = 0.45, 0.25


@dataclass(frozen=True, eq=False)
class PreparedFilm:
    """An x-ray in the two forms that the networks take.

    Attributes:
        fine: Gray levels of shape (1024, W) with square pixels, in which vertebrae are refined.
        tall: The same, stretched to `TALL_SHAPE`, in which they are located.
        scale: Pixels of the original for a pixel of `fine`, along x and y.
        display: The original in gray levels from 0 to 255, from the first to the last percentile.
    """

    fine: Array
    tall: Array
    scale: tuple[float, float]
    display: NDArray[np.uint8]

    def to_original(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points (x, y) of `fine` in pixels of the original."""
        return (points + 0.5) * self.scale - 0.5


def prepare(image: Slice) -> PreparedFilm:
    """Prepare an x-ray; bone is bright."""
    pixels = image.pixels
    low, high = np.percentile(pixels[::4, ::4], [1, 99])
    gray = np.clip((pixels - low) / max(float(high - low), 1e-6), LOW, HIGH).astype(np.float32)
    height, width = gray.shape
    down, across = image.spacing_mm or (1.0, 1.0)
    columns = int(np.clip(round(width * across / (height * down) * FINE_HEIGHT), 1, LARGEST_WIDTH))
    fine = resize(gray, (FINE_HEIGHT, columns))
    display = (np.clip(gray, 0, 1) * 255).astype(np.uint8)
    return PreparedFilm(fine, resize(fine, TALL_SHAPE), (width / columns, height / FINE_HEIGHT), display)


def resize(gray: Array, shape: tuple[int, int]) -> Array:
    """Resize an image to a height and width, with a filter that covers all pixels."""
    return np.asarray(Image.fromarray(gray).resize(shape[::-1], Image.Resampling.BILINEAR))


def normalize(gray: Array) -> Array:
    """Return the input of the locators."""
    return (gray - np.float32(MEAN)) / np.float32(DEVIATION)
