"""Preparation of a sagittal slice for the networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.imaging.slice import Slice
from spinealign.imaging.volume import Volume

Array = NDArray[np.float32]
STRIDE = 32  # heights and widths of the input of the segmenter are multiples of it
BRIGHTEST = 1.2  # gray level; 0 and 1 are the percentiles 1 and 99.5
ASSUMED_HEIGHT_MM = 280.0  # of the field of view of an image without spacing
LARGEST_SIDE = 1024


@dataclass(frozen=True, eq=False)
class PreparedSlice:
    """A sagittal slice on a grid of 1 mm: superior up, anterior left.

    Attributes:
        gray: Gray levels in [0, 1.2], shape (H, W).
        scale: Pixels of the original for a pixel of `gray`, along x and y.
        in_mm: Whether the spacing is known, so that pixels of `gray` are mm.
        display: The original in gray levels from 0 to 255.
    """

    gray: Array
    scale: tuple[float, float]
    in_mm: bool
    display: NDArray[np.uint8]

    def to_original(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points (x, y) of `gray` in pixels of the original."""
        return (points + 0.5) * self.scale - 0.5

    def from_original(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points (x, y) of the original in pixels of `gray`."""
        return (points + 0.5) / self.scale - 0.5


def prepare_sagittal(image: Slice, *, zoom: float = 1.0) -> PreparedSlice:
    """Prepare a sagittal slice.

    Args:
        image: The slice, superior up and anterior left. Without spacing, its pixels are square, and its field of view
            is taken to be 280 mm high.
        zoom: Factor of the spacing, to try another one; values in mm are then not available.
    """
    normal = normalize_gray(image.pixels)
    height, width = normal.shape
    assumed = ASSUMED_HEIGHT_MM / height
    down, across = image.spacing_mm or (assumed, assumed)
    rows, columns = (
        int(np.clip(round(count * spacing * zoom), 1, LARGEST_SIDE))
        for count, spacing in ((height, down), (width, across))
    )
    gray = np.asarray(Image.fromarray(normal).resize((columns, rows), Image.Resampling.BILINEAR))
    display = (np.clip(normal, 0, 1) * 255).astype(np.uint8)
    in_mm = image.spacing_mm is not None and zoom == 1
    return PreparedSlice(gray, (width / columns, height / rows), in_mm, display)


def display_gray(image: Slice | Volume) -> NDArray[np.uint8]:
    """Return an image, or the middle sagittal plane of a volume, in gray levels from 0 to 255."""
    plane = image.sagittal() if isinstance(image, Volume) else image
    return (np.clip(normalize_gray(plane.pixels), 0, 1) * 255).astype(np.uint8)


def normalize_gray(pixels: NDArray[np.float32]) -> Array:
    """Return gray levels in [0, 1.2], where 0 and 1 are the percentiles 1 and 99.5."""
    low, high = np.percentile(pixels, [1, 99.5])
    return np.clip((pixels - low) / max(float(high - low), 1e-6), 0, BRIGHTEST).astype(np.float32)


def segmenter_input(gray: Array) -> Array:
    """Return the input (1, 1, H, W) of the segmenter: mean 0, standard deviation 1, padded to multiples of 32."""
    height, width = gray.shape
    padding = [(0, -size % STRIDE) for size in (height, width)]
    return np.pad((gray - gray.mean()) / (gray.std() + np.float32(1e-5)), padding)[None, None].astype(np.float32)
