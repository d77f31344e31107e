"""Reader of one image of any accepted kind."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.errors import UnreadableImageError, UnsupportedFormatError
from spinealign.imaging.slice import Slice, Unit
from spinealign.reading.dicom import read_dicom
from spinealign.reading.kinds import other_format, suffix_of
from spinealign.reading.raster import read_array, read_pillow, read_raster

SliceSource: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | NDArray[np.generic] | Slice

MAX_BYTES = 512 * 1024**2
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".dcm", ".dicom"})


def read_slice(source: SliceSource, *, unit: Unit | None = None) -> Slice:
    """Read one gray image.

    PNG and JPEG become gray levels: color is converted to luma, palettes and EXIF rotation are applied, transparent
    pixels turn black, and more than 8 bits are scaled down from the smallest common depth (8, 10, 12, 14 or 16 bits)
    that holds the brightest pixel. CT DICOM becomes HU. Arrays of uint8 are gray levels. Other arrays are HU if they
    have a negative value, and gray levels if not; floats in [0, 1] are scaled to 255.

    Args:
        source: Path, content of a file, open binary file, Pillow image, array of shape (H, W), or `Slice`.
        unit: Unit of the values of an array, if the rule above would guess wrong.

    Returns:
        The slice, without anything that identifies the patient.

    Raises:
        UnreadableImageError: If the file is missing, damaged, too large or not an image.
        UnsupportedFormatError: If it is an image, but not of an accepted kind.
        TypeError: If `source` is not of an accepted type.
        ValueError: If `unit` is unknown, or `source` is not an array.

    Example:
        >>> read_slice(np.zeros((64, 64), np.uint8)).unit
        'display'
    """
    if unit not in (None, "HU", "display"):
        raise ValueError(f"unit must be 'HU' or 'display', got {unit!r}.")
    if unit is not None and not isinstance(source, np.ndarray):
        raise ValueError("unit applies to arrays only; omit it for other sources.")
    if isinstance(source, Slice):
        return source
    if isinstance(source, np.ndarray):
        return read_array(source, "array", unit=unit)
    if isinstance(source, Image.Image):
        return read_pillow(source, "image")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read_content(bytes(source), "bytes")
    if isinstance(source, (str, os.PathLike)):
        return _read_content(_file_content(Path(source)), os.fspath(source))
    content = source.read(MAX_BYTES + 1) if hasattr(source, "read") else None
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
    suffix = suffix_of(content)
    if suffix is None:
        if name := other_format(content):
            raise UnsupportedFormatError(f"{origin} is a {name}; save the slice as PNG, JPEG or DICOM.")
        raise UnreadableImageError(f"{origin} is not a PNG, JPEG or DICOM image; check the file.")
    return read_dicom(content, origin) if suffix == ".dcm" else read_raster(content, origin)
