"""What the caller of a reader asks for, passed to the reader of each format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf, prod

from spinealign.config import ReadingLimits
from spinealign.errors import ImageError, UnreadableImageError, UnsupportedFormatError
from spinealign.imaging.muting import muted
from spinealign.imaging.slice import Unit


@dataclass(frozen=True)
class Request:
    """How to read one image.

    Attributes:
        origin: Name of the image in messages.
        unit: Unit of plain numbers; None to decide by their type and sign.
        white: Value of plain numbers that is shown as white; None to decide by their type.
        frame: Frame or page, from 0; None for the only one.
        limits: Limits of files and images.
        spacing_mm: Distance of slices, rows and columns of a volume that does not state it.
        whole: Whether a file of several volumes is refused; if not, the first is read.
    """

    origin: str
    unit: Unit | None = None
    white: float | None = None
    frame: int | None = None
    limits: ReadingLimits = field(default_factory=ReadingLimits)
    spacing_mm: tuple[float, ...] | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        if self.unit not in (None, "HU", "display"):
            raise ValueError(f"unit must be 'HU' or 'display', got {self.unit!r}.")
        if self.white is not None and not 0 < self.white < inf:
            raise ValueError(f"white must be positive, got {self.white}.")
        spacing = self.spacing_mm
        if spacing is not None and not (len(spacing) == 3 and all(0 < value < inf for value in spacing)):
            raise ValueError(f"spacing_mm must be three positive numbers, got {spacing}.")
        if self.unit == "HU" and self.white is not None:
            raise ValueError("white applies to gray levels; omit it for Hounsfield units.")

    def check_size(self, height: int, width: int) -> None:
        """Check the size of an image before its pixels are decoded.

        Raises:
            UnreadableImageError: If the image has more than `ReadingLimits.max_pixels` pixels.
        """
        if height * width > self.limits.max_pixels:
            raise UnreadableImageError(
                f"{self.origin} has {height:,} x {width:,} pixels, more than {self.limits.max_pixels:,}; crop or "
                "downscale it."
            )

    def check_volume(self, shape: tuple[int, ...]) -> None:
        """Check the shape of a volume before its voxels are decoded.

        Raises:
            UnreadableImageError: If it has more than `ReadingLimits.max_slices` slices or `max_voxels` voxels.
        """
        if max(shape) > self.limits.max_slices or prod(shape) > self.limits.max_voxels:
            size = " x ".join(f"{length:,}" for length in shape)
            raise UnreadableImageError(f"{self.origin} has {size} voxels, more than the limits allow; crop it.")

    def frame_of(self, count: int) -> int:
        """Return the index of the frame to read, of an image with `count` frames.

        Raises:
            UnsupportedFormatError: If there are several and `frame` is None, or if there is no such frame.
        """
        if self.frame is None and count > 1:
            raise UnsupportedFormatError(
                f"{self.origin} has several frames ({count}); save one frame, pass frame=0 to {count - 1}, or use "
                "read_volume."
            )
        if self.frame is not None and not 0 <= self.frame < count:
            frames = "one frame, number 0" if count == 1 else f"frames 0 to {count - 1}"
            raise UnsupportedFormatError(f"{self.origin} has {frames}; there is no frame {self.frame}.")
        return self.frame or 0

    @contextmanager
    def typed_errors(self, cause: str = "damaged or truncated") -> Iterator[None]:
        """Mute a decoder, and turn its exceptions, which are of many types, into an `UnreadableImageError`."""
        try:
            with muted():
                yield
        except ImageError:
            raise
        except Exception:  # its text may quote the header
            raise UnreadableImageError(f"{self.origin} is {cause}; copy or export it again.") from None
