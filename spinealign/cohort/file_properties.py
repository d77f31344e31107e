"""Properties of an image file that may reveal its class without the finding."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.reading.kinds import DICOM, NPY, kind_of

PROPERTIES = {
    "height": "pixels",
    "width": "pixels",
    "channels": "",
    "file size": "KiB",
    "brightness": "gray levels",
    "border brightness": "gray levels",
    "black": "share",
    "sharpness": "variance of the Laplacian",
}
_BLACK = 4  # gray levels; lossy compression turns 0 into slightly more


def measure_file(content: bytes, gray: NDArray[np.uint8]) -> tuple[float, ...]:
    """Return the value of each of `PROPERTIES`, from the bytes of a file and its image at full size, shape (H, W)."""
    channels = 1 if kind_of(content) in (DICOM, NPY) else len(Image.open(BytesIO(content)).getbands())
    height, width = gray.shape
    frame = max(1, min(height, width) // 16)
    inner = gray[frame:-frame, frame:-frame] if min(height, width) > 2 * frame else gray[:0]
    border = (gray.sum(dtype=float) - inner.sum(dtype=float)) / (gray.size - inner.size)
    black = (gray <= _BLACK).mean()
    return (height, width, channels, len(content) / 1024, gray.mean(), border, black, _sharpness(gray))


def _sharpness(gray: NDArray[np.uint8]) -> float:
    if min(gray.shape) < 3:
        return 0.0
    image = gray.astype(np.float32)
    laplacian = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:] - 4 * image[1:-1, 1:-1]
    return float(laplacian.var())
