"""One axial image with what is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import UnreadableSliceError, UnsupportedFormatError

Unit = Literal["HU", "display"]
MAX_PIXELS = 64_000_000


@dataclass(frozen=True, eq=False)
class Slice:
    """One gray image; it holds nothing that names a patient.

    Attributes:
        pixels: float32 of shape (H, W), all finite.
        unit: `HU` for calibrated CT, or `display` for gray levels from 0 (black) to 255 (white).
        spacing_mm: Distance of neighbouring pixel centers down a column and along a row, where known.
        modality: DICOM modality such as `CT`, where known.
        origin: Where the pixels came from: a path as it was given, or the kind of object.
        color: Mean difference between the brightest and the darkest channel of the original in gray levels; 0 for
            gray images.
    """

    pixels: NDArray[np.float32]
    unit: Unit = "display"
    spacing_mm: tuple[float, float] | None = None
    modality: str | None = None
    origin: str = "array"
    color: float = 0.0

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels)
        if pixels.ndim != 2 or 0 in pixels.shape:
            raise UnsupportedFormatError(
                f"A slice is one gray image of shape (H, W); this has shape {pixels.shape}. Pass one slice of a volume."
            )
        if pixels.dtype.kind not in "buif":
            raise UnsupportedFormatError(f"Pixels must be real numbers, not {pixels.dtype}.")
        if self.unit not in ("HU", "display"):
            raise ValueError(f"unit must be 'HU' or 'display', not {self.unit!r}.")
        pixels = pixels.astype(np.float32)
        if not np.isfinite(pixels).all():
            raise UnreadableSliceError("The image holds NaN or infinite pixels; replace them before reading it.")
        pixels.setflags(write=False)
        object.__setattr__(self, "pixels", pixels)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.pixels.shape
        return height, width


def check_size(height: int, width: int, *, origin: str) -> None:
    """Refuse an image before its pixels are decoded.

    Raises:
        UnreadableSliceError: If it has more than `MAX_PIXELS` pixels.
    """
    if height * width > MAX_PIXELS:
        raise UnreadableSliceError(
            f"{origin} has {height:,} x {width:,} pixels; no CT slice is that large. Crop or scale it down."
        )


def gray_levels(values: NDArray[np.float32], *, whole_numbers: bool) -> NDArray[np.float32]:
    """Scale intensities of any depth to gray levels from 0 to 255.

    Args:
        values: Intensities that are not negative, of any shape.
        whole_numbers: Whether they are integers; if not, and none exceeds 1, they are shares of white.

    Returns:
        Gray levels of the same shape, not rounded; white is the highest value of the smallest common bit depth (8, 10,
        12, 14, 16 or 32) that holds the brightest pixel.
    """
    brightest = float(values.max())
    if not whole_numbers and brightest <= 1:
        white = 1.0
    else:
        white = next((2.0**bits - 1 for bits in (8, 10, 12, 14, 16, 32) if brightest < 2.0**bits), brightest)
    return np.clip(values * np.float32(255 / white), 0, 255).astype(np.float32)
