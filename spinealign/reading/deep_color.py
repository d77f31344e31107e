"""Read color PNG of 16 bits a channel, of which Pillow keeps the upper 8 alone: 12-bit CT would come out black."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

# How Pillow unpacks the upper bytes, and what gives the lower ones: for gray with opacity, the bytes as they stand.
_LOWER = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
_LUMA = np.array([19595, 38470, 7471]) / 65536  # ITU-R 601-2, as Pillow's own conversion to gray


def is_deep_color(image: ImageFile.ImageFile) -> bool:
    """Tell whether an opened, not yet decoded file has color or opacity of 16 bits a channel."""
    return bool(image.format == "PNG" and image.tile and image.tile[0].args in _LOWER)


def read_deep_gray(content: bytes) -> Image.Image:
    """Decode such a file into gray levels of its full depth.

    Args:
        content: The bytes of the file.

    Returns:
        An image of mode `I` with values from 0 to 65535, transparent pixels black, EXIF data kept.
    """
    with Image.open(BytesIO(content)) as image:
        packing = str(image.tile[0].args)
        if packing == "LA;16B":
            gray_and_opacity = _unpacked(image, _LOWER[packing]).astype(np.int64)
            gray = gray_and_opacity[..., 0] * 256.0 + gray_and_opacity[..., 1]
            opacity = (gray_and_opacity[..., 2] * 256 + gray_and_opacity[..., 3]) / 65535
        else:
            with Image.open(BytesIO(content)) as again:
                values = _unpacked(image, packing) * 256.0 + _unpacked(again, _LOWER[packing])
            gray = values[..., :3] @ _LUMA
            opacity = values[..., 3] / 65535 if packing == "RGBA;16B" else np.ones_like(gray)
        deep = Image.fromarray(np.round(gray * opacity).astype(np.int32))
        deep.info = {key: value for key, value in image.info.items() if key == "exif"}
    return deep


def _unpacked(image: ImageFile.ImageFile, packing: str) -> NDArray[np.uint8]:
    image.tile = [tile._replace(args=packing) for tile in image.tile]
    return np.asarray(image)
