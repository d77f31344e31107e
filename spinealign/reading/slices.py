"""Read one image of any accepted kind into a `Slice`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps, ImageStat

from spinealign.errors import SliceError, UnreadableSliceError, UnsupportedFormatError
from spinealign.imaging.quiet import quiet
from spinealign.imaging.slice import MAX_PIXELS, Slice, Unit, check_size, gray_levels
from spinealign.reading.deep_color import is_deep_color, read_deep_gray
from spinealign.reading.dicom import read_dicom
from spinealign.reading.kinds import suffix_of

SliceSource: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | NDArray[np.generic] | Slice

MAX_BYTES = 512 * 1024**2
RASTER_FORMATS = ("PNG", "JPEG")
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".dcm", ".dicom"})
_OTHER_KINDS = {
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"RIFF": "WebP",
    b"%PDF": "PDF",
    b"\x1f\x8b": "gzip (NIfTI volumes are not slices)",
    b"PK\x03\x04": "zip archive",
}


def read_slice(source: SliceSource, *, unit: Unit | None = None) -> Slice:
    """Read one gray image.

    PNG and JPEG become gray levels: color is converted by luma, palettes and EXIF rotation are resolved, transparent
    pixels turn black, and more than 8 bits are scaled down from the smallest common depth (8, 10, 12, 14 or 16 bits)
    that holds the brightest pixel. CT DICOM becomes HU. Arrays of bytes are gray levels; other arrays are gray levels
    if they lie in [0, 1] or have no negative value, and HU if they have one.

    Args:
        source: A path, the bytes of a file, an open binary file, a Pillow image, an array of shape (H, W), or a Slice.
        unit: What the numbers of an array mean, where the rule above would guess wrong.

    Returns:
        The slice; it holds nothing that names a patient.

    Raises:
        UnreadableSliceError: If there is no such file, or it is damaged, too large, or no image.
        UnsupportedFormatError: If it is an image, but not of an accepted kind.
        TypeError: If `source` is none of the accepted objects.
        ValueError: If the unit is not known, or given for something that is no array.

    Example:
        >>> read_slice(np.zeros((64, 64), np.uint8)).unit
        'display'
    """
    if unit not in (None, "HU", "display"):
        raise ValueError(f"unit must be 'HU' or 'display', not {unit!r}.")
    if unit is not None and not isinstance(source, np.ndarray):
        raise ValueError("unit says what the numbers of an array mean; other sources say it themselves.")
    if isinstance(source, Slice):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source, unit, "array")
    if isinstance(source, Image.Image):
        return _decoded(lambda: _from_pillow(source, "image"), "image")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(source), "bytes")
    if isinstance(source, (str, os.PathLike)):
        return _from_bytes(_file_content(Path(source)), os.fspath(source))
    content = source.read(MAX_BYTES + 1) if hasattr(source, "read") else None
    if isinstance(content, bytes):
        return _from_bytes(content, "file object")
    raise TypeError(
        f"Cannot read a slice from {type(source).__name__}; pass a path, bytes, a binary file, an image or an array."
    )


def _file_content(path: Path) -> bytes:
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise UnreadableSliceError(f"{path} is a folder; pass an image file in it.")
        if not stat.S_ISREG(kind):
            raise UnreadableSliceError(f"{path} is a device or a pipe; pass an image file.")
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UnreadableSliceError(f"There is no file {path}; check the path.") from error
    except (OSError, ValueError) as error:
        raise UnreadableSliceError(f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}.") from error


def _from_bytes(content: bytes, origin: str) -> Slice:
    if not content:
        raise UnreadableSliceError(f"{origin} is empty; copy or export the image again.")
    if len(content) > MAX_BYTES:
        raise UnreadableSliceError(f"{origin} is larger than {MAX_BYTES // 1024**2} MiB; this is no single slice.")
    suffix = suffix_of(content)
    if suffix is None:
        raise _no_image(content, origin)
    if suffix == ".dcm":
        return read_dicom(content, origin)
    return _decoded(lambda: _from_raster(content, origin), origin)


def _no_image(content: bytes, origin: str) -> SliceError:
    for signature, kind in _OTHER_KINDS.items():
        if content.startswith(signature):
            return UnsupportedFormatError(f"{origin} is a {kind}; save the slice as PNG, JPEG or DICOM.")
    return UnreadableSliceError(f"{origin} is no PNG, JPEG or DICOM image, whatever its name says.")


def _decoded(decode: Callable[[], Slice], origin: str) -> Slice:
    """Decode at one door: damaged files make Pillow raise almost anything."""
    try:
        return decode()
    except SliceError:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableSliceError(
            f"{origin} has more than {MAX_PIXELS:,} pixels; no CT slice does. Crop or scale it down."
        ) from error
    except Exception as error:
        raise UnreadableSliceError(f"{origin} is damaged or truncated; copy or export it again.") from error


def _from_raster(content: bytes, origin: str) -> Slice:
    with quiet():  # Pillow warns of large images, which are refused here
        image = Image.open(BytesIO(content), formats=RASTER_FORMATS)
    with image:
        check_size(image.height, image.width, origin=origin)
        return _from_pillow(read_deep_gray(content) if is_deep_color(image) else image, origin)


def _from_pillow(image: Image.Image, origin: str) -> Slice:
    check_size(image.height, image.width, origin=origin)
    with quiet():  # Pillow warns of odd EXIF data
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _from_array(np.asarray(image), None, origin)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    color = image.convert("RGB")
    return Slice(np.asarray(color.convert("L"), np.float32), origin=origin, color=_channel_spread(color))


def _channel_spread(image: Image.Image) -> float:
    red, green, blue = image.split()
    brightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    return float(ImageStat.Stat(ImageChops.subtract(brightest, darkest)).mean[0])


def _from_array(array: NDArray[np.generic], unit: Unit | None, origin: str) -> Slice:
    raw = Slice(np.asarray(array), origin=origin)
    if unit == "HU" or (unit is None and raw.pixels.min() < 0):
        return Slice(raw.pixels, unit="HU", origin=origin)
    if array.dtype == np.uint8:
        return raw
    return Slice(gray_levels(raw.pixels, whole_numbers=array.dtype.kind in "bui"), origin=origin)
