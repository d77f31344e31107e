"""Text and pictures in HTML."""

from __future__ import annotations

import base64
from io import BytesIO

import markupsafe
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image


def escape(text: object) -> Markup:
    """Return text escaped for HTML; lone surrogates become question marks, and `Markup` is not escaped again."""
    if isinstance(text, Markup):
        return text
    return markupsafe.escape(str(text).encode("utf-8", "replace").decode("utf-8"))


def picture_url(gray: NDArray[np.uint8], *, side: int = 128) -> str:
    """Return an image of shape (H, W), resized to side x side pixels, as the data URL of a JPEG."""
    stream = BytesIO()
    Image.fromarray(gray).resize((side, side), Image.Resampling.BOX).save(stream, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
