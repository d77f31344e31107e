"""Reader of one image of any accepted kind."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import IO, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.config import ReadingLimits
from spinealign.errors import ImageError, UnreadableImageError
from spinealign.imaging.slice import Slice, Unit
from spinealign.reading.dicom import is_dataset, open_dicom, read_dicom
from spinealign.reading.files import check_bytes, read_file
from spinealign.reading.kinds import DICOM, accepted_kind
from spinealign.reading.raster import as_array, raster_shape, read_array, read_pillow, read_raster
from spinealign.reading.request import Request


class SupportsArray(Protocol):
    """An array of another library, such as a tensor of torch."""

    def __array__(self) -> NDArray[Any]: ...


class SupportsPixelArray(Protocol):
    """A dataset of pydicom."""

    @property
    def pixel_array(self) -> NDArray[Any]: ...  # noqa: D102


SliceSource: TypeAlias = (
    str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | SupportsArray | SupportsPixelArray | Slice
)


def read_slice(
    source: SliceSource,
    *,
    unit: Unit | None = None,
    white: float | None = None,
    frame: int | None = None,
    limits: ReadingLimits | None = None,
) -> Slice:
    """Read one gray image.

    PNG, JPEG, BMP, TIFF, WebP, GIF and JPEG 2000 become gray levels from 0 to 255: color is converted to luma, palettes
    and EXIF rotation are applied, and transparent pixels turn black. White is the largest value of the file's depth,
    which is 65535 for a PNG with 16 bits per pixel, as the PNG standard demands also for fewer significant bits. CT
    DICOM becomes HU; other DICOM images are windowed by their header or, without a window, scaled by `BitsStored`. No
    scale depends on the brightest pixel.

    Arrays, NumPy files (`.npy`) and TIFF of signed or floating-point numbers are scaled by their type: bool is black
    and white, uint8 are gray levels, and white is 65535 for uint16 and 1 for floats in [0, 1]. Other arrays are HU if
    they have a negative value; if not, pass `unit` or `white`.

    Args:
        source: Path, content of a file, open binary file, Pillow image, pydicom dataset, `Slice`, or array or tensor of
            shape (H, W), (H, W, 1), (1, H, W) or, with red, green and blue, (H, W, 3).
        unit: Unit of the values of an array: `HU`, or `display` for gray levels from 0 to 255.
        white: Value shown as white, for an array or for a file whose values do not use its full depth, such as 4095
            for CT of 12 bits in a PNG of 16 bits.
        frame: Frame of a multi-frame DICOM file or animation, or page of a TIFF, from 0. Needed if there are several,
            except for animations, of which the first frame is read.
        limits: Limits of files and images; None for the defaults.

    Returns:
        The slice, without anything that identifies the patient. What was ignored or assumed is in `notes`.

    Raises:
        UnreadableImageError: If the file is missing, damaged, too large or not an image.
        UnsupportedFormatError: If it is an image, but not of an accepted kind, or has several frames.
        TypeError: If `source` is not of an accepted type.
        ValueError: If `unit` is unknown or `source` has a unit already, or if `white` is not positive or the scale of
            `source` is already known.

    Examples:
        >>> read_slice(np.zeros((64, 64), np.uint8)).unit
        'display'
    """
    image = _read(source, Request("", unit, white, frame, limits or ReadingLimits()))
    if unit is not None and image.unit != unit:
        raise ValueError("unit applies to arrays and plain numbers only; omit it for other sources.")
    if white is None:
        return image
    if image.assumed_white is None:
        raise ValueError("white applies to arrays and to gray images with more than 8 bits per pixel; omit it.")
    return image.with_white(white)


def read_shape(content: bytes) -> tuple[int, int]:
    """Return the height and width that `read_slice` gives an image file, from its header.

    Raises:
        UnreadableImageError: If the file is damaged or not an image.
        UnsupportedFormatError: If it is an image, but not of an accepted kind.
    """
    request = Request("bytes")
    check_bytes(content, origin=request.origin, limits=request.limits)
    if accepted_kind(content, request.origin) is DICOM:
        with open_dicom(content, request) as dataset:
            return int(dataset.Rows), int(dataset.Columns)
    return raster_shape(content, request)


def name_source(source: object) -> str:
    """Return the path of a source that could not be read, or its type."""
    return os.fsdecode(source) if isinstance(source, str | os.PathLike) else type(source).__name__


def failed_source(error: Exception, source: object) -> ImageError:
    """Return a copy of an error that names its source, for a result in its place.

    The traceback of the raised error would keep the file in memory.
    """
    failed = (type(error) if isinstance(error, ImageError) else ImageError)(str(error))
    failed.source = name_source(source)
    return failed


def is_slice_source(source: object) -> bool:
    """Return whether an object is one source, although text, files, arrays and datasets can be iterated."""
    one = isinstance(source, str | bytes | bytearray | memoryview | os.PathLike | Slice | Image.Image | np.ndarray)
    table = getattr(source, "ndim", 1) != 1  # an array of another library
    return one or table or hasattr(source, "read") or is_dataset(source)


def _read(source: SliceSource, request: Request) -> Slice:  # noqa: PLR0911 - one per kind of source
    if isinstance(source, Slice):
        return source
    if isinstance(source, Image.Image):
        return read_pillow(source, replace(request, origin="image"))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read_content(bytes(source), replace(request, origin="bytes"))
    if isinstance(source, (str, os.PathLike)):
        request = replace(request, origin=os.fspath(source))
        return _read_content(read_file(source, request.limits), request)
    if is_dataset(source):
        return read_dicom(source, replace(request, origin="dataset"))
    if hasattr(source, "__array__"):
        return read_array(as_array(source), replace(request, origin="array"))
    return _read_content(read_stream(source, request.limits), replace(request, origin="file object"))


def read_stream(source: Any, limits: ReadingLimits) -> bytes:
    """Return the content of an open binary file.

    Raises:
        UnreadableImageError: If it cannot be read or is larger than `limits.max_bytes`.
        TypeError: If `source` is not an open binary file.
    """
    try:
        content = source.read(limits.max_bytes + 1) if hasattr(source, "read") else None
    except Exception as error:  # of any type, such as zipfile.BadZipFile, whose text names the file
        raise UnreadableImageError(f"The file object cannot be read ({type(error).__name__}).") from error
    if isinstance(content, bytes):
        return content
    raise TypeError(f"Expected a path, bytes, a binary file, an image or an array, got {type(source).__name__}.")


def _read_content(content: bytes, request: Request) -> Slice:
    check_bytes(content, origin=request.origin, limits=request.limits)
    if accepted_kind(content, request.origin) is DICOM:
        return read_dicom(content, request)
    return read_raster(content, request)
