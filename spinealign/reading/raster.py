"""Readers of PNG and JPEG files, Pillow images and arrays; `origin` is the name of the image in messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from spinealign.errors import ImageError, UnreadableImageError, UnsupportedFormatError
from spinealign.imaging.muting import muted
from spinealign.imaging.slice import MAX_PIXELS, Slice, Unit, check_size
from spinealign.reading.kinds import PNG_SIGNATURE

_PNG_DEPTH = slice(24, 26)  # bits per channel and color type in the header
_DEEP_COLOR = (b"\x10\x02", b"\x10\x04", b"\x10\x06")  # RGB, gray with opacity and RGB with opacity of 16 bits


def read_pillow(image: Image.Image, origin: str) -> Slice:
    """Convert a Pillow image of any mode to gray levels; modes `I` and `F` are treated as arrays.

    Raises:
        UnreadableImageError: If the image cannot be decoded or is too large.
    """
    with _typed_errors(origin):
        image = _displayed(image, origin)
        if image.mode == "L":
            return Slice(np.asarray(image), origin=origin)
        if image.mode != "RGB":
            return read_array(np.asarray(image), origin, unit=None, white=None)
        red, green, blue = np.moveaxis(np.asarray(image), 2, 0)
        spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
        return Slice(np.asarray(image.convert("L")), origin=origin, color=float(spread.mean()))


def decode_raster(content: bytes, origin: str) -> Image.Image:
    """Decode a PNG or JPEG file as it is displayed: upright, and black where it is transparent.

    Returns:
        Image of mode `L`, `I;16` or `RGB`.

    Raises:
        UnreadableImageError: If the file is damaged or too large.
        UnsupportedFormatError: If it has 16 bits per color channel.
    """
    if content.startswith(PNG_SIGNATURE) and content[_PNG_DEPTH] in _DEEP_COLOR:
        raise UnsupportedFormatError(
            f"{origin} has 16 bits per color channel; save it as gray with 16 bits or as color with 8 bits."
        )
    with _typed_errors(origin), Image.open(BytesIO(content), formats=("PNG", "JPEG")) as image:
        return _displayed(image, origin)


def read_array(array: NDArray[np.generic], origin: str, *, unit: Unit | None, white: float | None) -> Slice:
    """Convert an array of shape (H, W) by the rules of `read_slice`, which also lists the exceptions."""
    pixels = Slice(np.asarray(array), origin=origin).pixels
    if unit == "HU" or (unit is None and white is None and pixels.min() < 0):
        if white is not None:
            raise ValueError("white applies to gray levels; omit it for Hounsfield units.")
        return Slice(pixels, unit="HU", origin=origin)
    assumed = None
    if white is None:
        if unit == "display" or array.dtype == np.uint8:
            white = 255.0
        elif array.dtype.kind == "b" or (array.dtype.kind == "f" and pixels.max() <= 1):
            white = 1.0
        elif array.dtype.kind == "u" and array.dtype.itemsize == 2:
            white = assumed = 65535.0
        else:
            raise UnsupportedFormatError(
                f"The scale of {array.dtype} values from {pixels.min():g} to {pixels.max():g} is unclear. Pass "
                "unit='HU' for Hounsfield units, or white, the value shown as white, such as 255 or, for 12 bits, 4095."
            )
    return Slice(np.clip(pixels * np.float32(255 / white), 0, 255), origin=origin, assumed_white=assumed)


@contextmanager
def _typed_errors(origin: str) -> Iterator[None]:
    """Mute Pillow, and turn any exception into an `ImageError`: Pillow raises many types for damaged files."""
    try:
        with muted():
            yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableImageError(f"{origin} has more than {MAX_PIXELS:,} pixels; crop or downscale it.") from error
    except Exception as error:
        raise UnreadableImageError(f"{origin} is damaged or truncated; copy or export it again.") from error


def _displayed(image: Image.Image, origin: str) -> Image.Image:
    check_size(image.height, image.width, origin=origin)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F" or (image.mode == "L" and not image.has_transparency_data):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return image.convert("RGB")
