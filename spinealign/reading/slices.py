"""Reader of one image of any accepted kind."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.errors import UnreadableImageError
from spinealign.imaging.slice import Slice, Unit
from spinealign.reading.dicom import read_dicom
from spinealign.reading.kinds import accepted_suffix
from spinealign.reading.raster import decode_raster, read_array, read_pillow

SliceSource: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | NDArray[np.generic] | Slice

MAX_BYTES = 512 * 1024**2
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".dcm", ".dicom"})


def read_slice(source: SliceSource, *, unit: Unit | None = None, white: float | None = None) -> Slice:
    """Read one gray image.

    PNG and JPEG become gray levels from 0 to 255: color is converted to luma, palettes and EXIF rotation are applied,
    and transparent pixels turn black. White is the largest value of the file's depth, which is 65535 for a PNG with 16
    bits per pixel, as the PNG standard demands also for fewer significant bits. CT DICOM becomes HU; other DICOM images
    are windowed by their header or, without a window, scaled by `BitsStored`. No scale depends on the brightest pixel.

    Arrays are scaled by their type: bool is black and white, uint8 are gray levels, and white is 65535 for uint16 and 1
    for floats in [0, 1]. Other arrays are HU if they have a negative value; if not, pass `unit` or `white`.

    Args:
        source: Path, content of a file, open binary file, Pillow image, array of shape (H, W), or `Slice`.
        unit: Unit of the values of an array: `HU`, or `display` for gray levels from 0 to 255.
        white: Value shown as white, for an array or for a file whose values do not use its full depth, such as 4095
            for CT of 12 bits in a PNG of 16 bits.

    Returns:
        The slice, without anything that identifies the patient.

    Raises:
        UnreadableImageError: If the file is missing, damaged, too large or not an image.
        UnsupportedFormatError: If it is an image, but not of an accepted kind.
        TypeError: If `source` is not of an accepted type.
        ValueError: If `unit` is unknown or `source` is not an array, or if `white` is not positive or the scale of
            `source` is already known.

    Examples:
        >>> read_slice(np.zeros((64, 64), np.uint8)).unit
        'display'
    """
    if unit not in (None, "HU", "display"):
        raise ValueError(f"unit must be 'HU' or 'display', got {unit!r}.")
    if unit is not None and not isinstance(source, np.ndarray):
        raise ValueError("unit applies to arrays only; omit it for other sources.")
    if white is not None and not white > 0:
        raise ValueError(f"white must be positive, got {white}.")
    if isinstance(source, np.ndarray):
        return read_array(source, "array", unit=unit, white=white)
    image = _read(source)
    if white is None:
        return image
    if image.assumed_white is None:
        raise ValueError("white applies to arrays and to gray images with more than 8 bits per pixel; omit it.")
    return image.with_white(white)


def _read(source: SliceSource) -> Slice:
    if isinstance(source, Slice):
        return source
    if isinstance(source, Image.Image):
        return read_pillow(source, "image")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read_content(bytes(source), "bytes")
    if isinstance(source, (str, os.PathLike)):
        return _read_content(_file_content(Path(source)), os.fspath(source))
    try:
        content = source.read(MAX_BYTES + 1) if hasattr(source, "read") else None
    except Exception as error:  # of any type, such as zipfile.BadZipFile, whose text names the file
        raise UnreadableImageError(f"The file object cannot be read ({type(error).__name__}).") from error
    if isinstance(content, bytes):
        return _read_content(content, "file object")
    raise TypeError(f"Expected a path, bytes, a binary file, an image or an array, got {type(source).__name__}.")


def _file_content(path: Path) -> bytes:
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise UnreadableImageError(f"{path} is a folder; pass an image file in it.")
        if not stat.S_ISREG(kind):
            raise UnreadableImageError(f"{path} is a device or a pipe; pass an image file.")
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UnreadableImageError(f"There is no file {path}; check the path.") from error
    except (OSError, ValueError) as error:
        raise UnreadableImageError(f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}.") from error


def _read_content(content: bytes, origin: str) -> Slice:
    if not content:
        raise UnreadableImageError(f"{origin} is empty; copy or export the image again.")
    if len(content) > MAX_BYTES:
        raise UnreadableImageError(f"{origin} is larger than {MAX_BYTES // 1024**2} MiB; pass a single image.")
    if accepted_suffix(content, origin) == ".dcm":
        return read_dicom(content, origin)
    return read_pillow(decode_raster(content, origin), origin)
