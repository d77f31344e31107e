"""Reader of PNG with 16 bits per color channel. Pillow keeps only the upper 8 bits, so a 12-bit CT would be black."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

# Pillow's raw mode for the upper bytes -> raw mode for the lower bytes. Gray with opacity is read as four plain bytes.
_LOWER = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
_LUMA = np.array([19595, 38470, 7471]) / 65536  # ITU-R 601-2, as in Pillow's conversion to gray


def is_deep_color(image: ImageFile.ImageFile) -> bool:
    """Return whether an opened, not yet decoded file has color or opacity with 16 bits per channel."""
    return bool(image.format == "PNG" and image.tile and image.tile[0].args in _LOWER)


def read_deep_gray(content: bytes) -> Image.Image:
    """Decode such a file to gray levels of full depth.

    Returns:
        Image of mode `I` with values from 0 to 65535, transparent pixels black, and the EXIF data of the file.
    """
    with Image.open(BytesIO(content)) as image:
        raw_mode = str(image.tile[0].args)
        if raw_mode == "LA;16B":
            gray_and_opacity = _unpack(image, _LOWER[raw_mode]).astype(np.int64)
            gray = gray_and_opacity[..., 0] * 256.0 + gray_and_opacity[..., 1]
            opacity = (gray_and_opacity[..., 2] * 256 + gray_and_opacity[..., 3]) / 65535
        else:
            with Image.open(BytesIO(content)) as again:
                values = _unpack(image, raw_mode) * 256.0 + _unpack(again, _LOWER[raw_mode])
            gray = values[..., :3] @ _LUMA
            opacity = values[..., 3] / 65535 if raw_mode == "RGBA;16B" else np.ones_like(gray)
        deep = Image.fromarray(np.round(gray * opacity).astype(np.int32))
        deep.info = {key: value for key, value in image.info.items() if key == "exif"}
    return deep


def _unpack(image: ImageFile.ImageFile, raw_mode: str) -> NDArray[np.uint8]:
    image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
    return np.asarray(image)
