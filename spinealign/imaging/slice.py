"""One 2-D image with its known properties."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import UnreadableImageError, UnsupportedFormatError

Unit = Literal["HU", "display"]


@dataclass(frozen=True, eq=False, repr=False)
class Slice:
    """A gray image with its known properties. It contains nothing that identifies the patient.

    Attributes:
        pixels: float32 of shape (H, W), all finite.
        unit: `HU` for calibrated CT, or `display` for gray levels from 0 (black) to 255 (white).
        spacing_mm: Distance between neighboring pixel centers down a column and along a row; None if unknown.
        modality: DICOM modality such as `CT`; None if unknown.
        origin: Where the pixels came from: the path as given, or the kind of object.
        color: Mean difference between the brightest and the darkest color channel of the source, in gray levels
            (0 to 255); 0 for gray images.
        assumed_white: Stored value that became white, if it is only the largest value that the file can store, such as
            65535; None if the scale is known.
        position_mm: Center of the first pixel in patient coordinates: left, posterior and superior (LPS) in mm.
        orientation: Directions along a row and down a column in patient coordinates, each a unit vector, as in
            ImageOrientationPatient of DICOM.
        instance: Number of the slice in its series; None if unknown.
        notes: Sentences about what was ignored or assumed while reading.

    Raises:
        UnsupportedFormatError: If `pixels` is not a 2-D array of real numbers with at least one pixel.
        UnreadableImageError: If a pixel is NaN or infinite.
        ValueError: If the unit is unknown.
    """

    pixels: NDArray[np.float32]
    unit: Unit = "display"
    spacing_mm: tuple[float, float] | None = None
    modality: str | None = None
    origin: str = "array"
    color: float = 0.0
    assumed_white: float | None = None
    position_mm: tuple[float, float, float] | None = None
    orientation: tuple[float, float, float, float, float, float] | None = None
    instance: int | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels)
        if pixels.ndim != 2 or 0 in pixels.shape:
            raise UnsupportedFormatError(
                f"Expected a non-empty 2-D array, got shape {pixels.shape}; pass one gray image or slice."
            )
        if pixels.dtype.kind not in "buif":
            raise UnsupportedFormatError(f"Pixels must be real numbers, got {pixels.dtype}; convert the array.")
        if self.unit not in ("HU", "display"):
            raise ValueError(f"unit must be 'HU' or 'display', got {self.unit!r}.")
        with np.errstate(over="ignore"):  # a number that is too large becomes infinite
            pixels = pixels.astype(np.float32, copy=pixels.flags.writeable)  # a plane of a volume is a view
        if not np.isfinite(pixels).all():
            raise UnreadableImageError("The image contains NaN or infinite pixels; replace them first.")
        pixels.setflags(write=False)
        object.__setattr__(self, "pixels", pixels)

    def __repr__(self) -> str:
        height, width = self.shape
        return f"Slice({height} x {width} pixels, unit={self.unit!r}, origin={self.origin!r})"

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.pixels.shape
        return height, width

    @property
    def plane(self) -> str | None:
        """The anatomical plane that is nearest: axial, sagittal or coronal; None if the orientation is unknown."""
        if self.orientation is None:
            return None
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        return ("sagittal", "coronal", "axial")[int(np.abs(normal).argmax())]

    def to_patient(self, points: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return points (x, y) in pixels, shape (..., 2), in patient coordinates in mm, shape (..., 3).

        None if position, orientation or spacing is unknown.
        """
        if self.position_mm is None or self.orientation is None or self.spacing_mm is None:
            return None
        along, down = np.reshape(np.asarray(self.orientation, dtype=np.float64), (2, 3))
        rows, columns = self.spacing_mm
        return np.asarray(self.position_mm) + points[..., :1] * columns * along + points[..., 1:] * rows * down

    def with_white(self, white: float) -> Slice:
        """Return the slice with another stored value as white; unchanged if its scale is known."""
        if self.assumed_white is None:
            return self
        pixels = np.clip(self.pixels * np.float32(self.assumed_white / white), 0, 255)
        return replace(self, pixels=pixels, assumed_white=None)
