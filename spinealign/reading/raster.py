"""Readers of image files other than DICOM, of Pillow images and of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from spinealign.errors import UnreadableImageError, UnsupportedFormatError
from spinealign.imaging.slice import Slice
from spinealign.reading import kinds
from spinealign.reading.request import Request

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "JPEG2000")
_PNG_DEPTH = slice(24, 26)  # bits per channel and color type in the header
_DEEP_PNG = (b"\x10\x02", b"\x10\x04", b"\x10\x06")  # RGB, gray with opacity and RGB with opacity of 16 bits
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF tags, and a value
_UPRIGHT = 4  # largest EXIF orientation that does not exchange width and height
_FIRST_FRAME = "The first of several frames."


def read_raster(content: bytes, request: Request) -> Slice:
    """Read an image file other than DICOM; `read_slice` describes the scale, and `decode_raster` the errors."""
    if kinds.kind_of(content) is kinds.NPY:
        return read_array(_plane_of(content, request), request)
    with _opened(content, request) as image:
        animated = request.frame is None and getattr(image, "is_animated", False)
        shown = read_pillow(image, request)
        return replace(shown, notes=(_FIRST_FRAME,)) if animated else shown


def raster_shape(content: bytes, request: Request) -> tuple[int, int]:
    """Return height and width of an image file other than DICOM as it is displayed, without decoding its pixels."""
    if kinds.kind_of(content) is kinds.NPY:
        height, width = _plane_of(content, request).shape[:2]
        return height, width
    with _opened(content, request) as image, _typed_errors(request):
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) > _UPRIGHT
        return image.size if turned else image.size[::-1]


def decode_raster(content: bytes, request: Request) -> Image.Image:
    """Decode an image file other than DICOM as it is displayed: upright, and black where it is transparent.

    Returns:
        Image of mode `L`, `I;16`, `I`, `F` or `RGB`.

    Raises:
        UnreadableImageError: If the file is damaged or too large.
        UnsupportedFormatError: If it is a TIFF with several pages and none is requested, has no such frame, 16 bits per
            color channel, or a layout that Pillow does not decode.
    """
    if kinds.kind_of(content) is kinds.NPY:
        array = as_plane(_plane_of(content, request))
        with _typed_errors(request):
            return Image.fromarray(array if array.dtype in (np.uint8, np.uint16) else array.astype(np.float32))
    with _opened(content, request) as image, _typed_errors(request):
        return _displayed(image, request)


def read_pillow(image: Image.Image, request: Request) -> Slice:
    """Convert a Pillow image of any mode to gray levels; modes `I;16`, `I` and `F` are treated as arrays.

    Raises:
        UnreadableImageError: If the image cannot be decoded or is too large.
        UnsupportedFormatError: If the scale of its values is unclear.
    """
    with _typed_errors(request):
        image = _displayed(image, request)
        pixels = np.asarray(image)
    if image.mode == "L":
        return Slice(pixels, origin=request.origin)
    if image.mode != "RGB":
        return read_array(pixels, request)
    red, green, blue = np.moveaxis(pixels, 2, 0)
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return Slice(np.asarray(image.convert("L")), origin=request.origin, color=float(spread.mean()))


def read_array(array: NDArray[Any], request: Request) -> Slice:
    """Convert an array by the rules of `read_slice`, which also lists the exceptions.

    The `assumed_white` of the slice is the requested white, if there is one.
    """
    array = as_plane(np.asarray(array))
    if array.ndim == 3:
        return read_pillow(Image.fromarray(array), request)
    pixels, white = Slice(array).pixels, request.white
    if request.unit == "HU" or (request.unit is None and white is None and pixels.min() < 0):
        return Slice(pixels, unit="HU", origin=request.origin)
    assumed = white
    if white is None:
        if request.unit == "display" or array.dtype == np.uint8:
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
    pixels = np.clip(pixels * np.float32(255 / white), 0, 255)
    return Slice(pixels, origin=request.origin, assumed_white=assumed)


def as_array(values: Any) -> NDArray[Any]:
    """Return an array of another library, such as a tensor of torch on any device, as an array of NumPy.

    Raises:
        UnsupportedFormatError: If it cannot be converted.
    """
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
            values = values.float() if values.is_floating_point() else values  # NumPy has no bfloat16
        return np.asarray(values)
    except Exception as error:  # of several types, for sparse tensors and those without data
        raise UnsupportedFormatError(f"The array cannot be converted to NumPy: {error}") from error


def as_plane(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of shape (H, W, 1) or (1, H, W) with shape (H, W), and a color array as uint8 (H, W, 3).

    Raises:
        UnsupportedFormatError: If the color values are neither uint8 nor from 0 to 1.
    """
    if array.ndim != 3:
        return array
    if array.shape[2] == 1:
        return array[:, :, 0]
    if array.shape[0] == 1:
        return array[0]
    if array.shape[2] != 3 or array.size == 0:
        raise UnsupportedFormatError(
            f"Expected an array of shape (H, W), (H, W, 1), (1, H, W) or (H, W, 3), got {array.shape}; pass one image."
        )
    if array.dtype.kind == "f" and array.min() >= 0 and array.max() <= 1:
        array = np.round(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise UnsupportedFormatError(
            f"Color must be uint8, or floats from 0 to 1, got {array.dtype}; convert the array or pass one channel."
        )
    return array


@contextmanager
def _opened(content: bytes, request: Request) -> Iterator[Image.Image]:
    deep = kinds.kind_of(content) is kinds.PNG and content[_PNG_DEPTH] in _DEEP_PNG
    with _typed_errors(request):
        image = Image.open(BytesIO(content), formats=_FORMATS)
    with image:
        with _typed_errors(request):
            if request.frame is not None or image.format == "TIFF":
                image.seek(request.frame_of(getattr(image, "n_frames", 1)))
            _check_depth(image, request, deep=deep)
        yield image


def _check_depth(image: Image.Image, request: Request, *, deep: bool = False) -> None:
    """Check that colors have 8 bits; `deep` says that the file has more, which Pillow reduces without a word."""
    if deep or (len(image.getbands()) > 1 and max(_tag(image, _BITS_PER_SAMPLE), default=8) > 8):
        raise UnsupportedFormatError(
            f"{request.origin} has 16 bits per color channel; save it as gray with 16 bits or as color with 8 bits."
        )


def _tag(image: Image.Image, number: int) -> tuple[int, ...]:
    """Return the values of a TIFF tag; none for other images and missing tags."""
    value = getattr(image, "tag_v2", {}).get(number, ())
    return value if isinstance(value, tuple) else (value,)


@contextmanager
def _typed_errors(request: Request) -> Iterator[None]:
    """Turn the exceptions of Pillow into an `ImageError`."""
    with request.typed_errors():
        try:
            yield
        except Image.DecompressionBombError:
            raise UnreadableImageError(f"{request.origin} has too many pixels; crop or downscale it.") from None
        except UnidentifiedImageError:
            raise UnreadableImageError(
                f"{request.origin} is damaged, or has a layout that is not read; export it again as gray with 8 or 16 "
                "bits."
            ) from None


def read_pages(content: bytes, request: Request) -> list[Slice]:
    """Read the pages of an image file, or the frames of an animation.

    Raises:
        UnsupportedFormatError: If there is only one.
    """
    with _opened(content, replace(request, frame=0)) as image:
        count = getattr(image, "n_frames", 1)
        if count == 1:
            raise UnsupportedFormatError(f"{request.origin} is a single image; use read_slice.")
        request.check_volume((count, 1, 1))
        pages = []
        for page in range(count):
            with _typed_errors(request):
                image.seek(page)
            _check_depth(image, request)
            pages.append(read_pillow(image, request))
    return pages


def load_npy(content: bytes, request: Request) -> NDArray[Any]:
    """Return the array in a NumPy file, without pickle."""
    try:
        array = np.load(BytesIO(content), allow_pickle=False)
    except Exception as error:  # of several types; for arrays of objects, which are stored by pickle, a ValueError
        raise UnreadableImageError(
            f"{request.origin} is damaged or contains Python objects; save it again as an array of numbers."
        ) from error
    return array


def _plane_of(content: bytes, request: Request) -> NDArray[Any]:
    array = load_npy(content, request)
    request.frame_of(1)
    request.check_size(array.size, 1)
    return array


def _displayed(image: Image.Image, request: Request) -> Image.Image:
    request.check_size(image.height, image.width)
    transparent, inverted = image.info.get("transparency"), _tag(image, _PHOTOMETRIC) == (_WHITE_IS_ZERO,)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") and (transparent is not None or inverted):  # not converted by Pillow
        pixels = np.asarray(image)
        pixels = 65535 - pixels if inverted else np.where(pixels == transparent, 0, pixels)
        return Image.fromarray(pixels.astype(np.uint16))
    if image.mode.startswith("I") or image.mode == "F" or (image.mode == "L" and not image.has_transparency_data):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return image.convert("RGB")
