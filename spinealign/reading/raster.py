"""Readers of PNG and JPEG files, Pillow images and arrays; `origin` is the name of the image in messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps, ImageStat

from spinealign.errors import ImageError, UnreadableImageError
from spinealign.imaging.muting import quiet
from spinealign.imaging.slice import MAX_PIXELS, Slice, Unit, check_size
from spinealign.reading.deep_color import is_deep_color, read_deep_gray

_FORMATS = ("PNG", "JPEG")


def read_raster(content: bytes, origin: str) -> Slice:
    """Decode a PNG or JPEG file to gray levels.

    Raises:
        UnreadableImageError: If the file is damaged or too large.
    """
    with _typed_errors(origin):
        with quiet():  # Pillow warns about large images, which check_size rejects
            image = Image.open(BytesIO(content), formats=_FORMATS)
        with image:
            check_size(image.height, image.width, origin=origin)
            return read_pillow(read_deep_gray(content) if is_deep_color(image) else image, origin)


def read_pillow(image: Image.Image, origin: str) -> Slice:
    """Convert a Pillow image of any mode; modes `I` and `F` are treated as arrays.

    Raises:
        UnreadableImageError: If the image cannot be decoded or is too large.
    """
    with _typed_errors(origin):
        check_size(image.height, image.width, origin=origin)
        with quiet():  # Pillow warns about malformed EXIF data
            image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I") or image.mode == "F":
            return read_array(np.asarray(image), origin)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
        color = image.convert("RGB")
        return Slice(np.asarray(color.convert("L"), np.float32), origin=origin, color=_channel_spread(color))


def read_array(array: NDArray[np.generic], origin: str, *, unit: Unit | None = None) -> Slice:
    """Convert an array to HU or gray levels.

    Args:
        array: Real numbers, of shape (H, W).
        origin: Name of the image.
        unit: Unit of the values; None guesses `HU` if a value is negative, else `display`.

    Raises:
        ImageError: If the array is not an image.
    """
    raw = Slice(np.asarray(array), origin=origin)
    if unit == "HU" or (unit is None and raw.pixels.min() < 0):
        return Slice(raw.pixels, unit="HU", origin=origin)
    if array.dtype == np.uint8:
        return raw
    return Slice(_gray_levels(raw.pixels, whole_numbers=array.dtype.kind in "bui"), origin=origin)


@contextmanager
def _typed_errors(origin: str) -> Iterator[None]:
    """Turn any exception into an `ImageError`: Pillow raises many types for damaged files."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableImageError(f"{origin} has more than {MAX_PIXELS:,} pixels; crop or downscale it.") from error
    except Exception as error:
        raise UnreadableImageError(f"{origin} is damaged or truncated; copy or export it again.") from error


def _channel_spread(image: Image.Image) -> float:
    """Return the mean difference between the brightest and the darkest channel, in gray levels."""
    red, green, blue = image.split()
    brightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    return float(ImageStat.Stat(ImageChops.subtract(brightest, darkest)).mean[0])


def _gray_levels(values: NDArray[np.float32], *, whole_numbers: bool) -> NDArray[np.float32]:
    """Scale intensities of any depth to gray levels from 0 to 255.

    Args:
        values: Non-negative intensities, of any shape.
        whole_numbers: Whether they are integers. Other values are fractions of white if none exceeds 1.

    Returns:
        Gray levels of the same shape, not rounded. White is the largest value of the smallest common bit depth (8, 10,
        12, 14, 16 or 32) that holds the brightest pixel.
    """
    brightest = float(values.max())
    if not whole_numbers and brightest <= 1:
        white = 1.0
    else:
        white = next((2.0**bits - 1 for bits in (8, 10, 12, 14, 16, 32) if brightest < 2.0**bits), brightest)
    return np.clip(values * np.float32(255 / white), 0, 255).astype(np.float32)
