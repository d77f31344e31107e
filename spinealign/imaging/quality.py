"""Image quality checks before prediction."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from spinealign.config import InputConfig, QualityConfig
from spinealign.imaging.slice import Slice

_SIDE = 224  # sharpness is measured after resizing to this side, so that limits apply to images of any size
_UNUSED = 64  # images with at most 14 of 16 bits are darker than this
_RADIOGRAPHY = {"CR": "DX", "RG": "DX"}


def quality_reasons(
    gray: NDArray[np.uint8], limits: QualityConfig, *, color: float = 0.0, assumed_white: float | None = None
) -> tuple[str, ...]:
    """Return the reasons why an image is not good enough for prediction.

    Args:
        gray: The windowed image without filters, shape (H, W).
        limits: Limits of each property.
        color: Color of the original, see `Slice.color`.
        assumed_white: See `Slice.assumed_white`; None if `gray` was scaled by a known value.

    Returns:
        One phrase with value and limit for each property out of its limits; empty for a good image.
    """
    short, long = sorted(gray.shape)
    brightness, top = gray.mean(), 255 if assumed_white is None else gray.max()
    checks = (
        ("too small: shorter side {:.0f} pixels", short, limits.min_side, inf),
        ("odd aspect ratio: {:.2f} to 1", long / short, 0, limits.max_aspect),
        ("too dark: mean gray level {:.1f}", brightness, limits.min_brightness, inf),
        ("too bright: mean gray level {:.1f}", brightness, 0, limits.max_brightness),
        ("low information: {:.2f} bits per pixel", abs(Image.fromarray(gray).entropy()), limits.min_information, inf),
        ("blurry: sharpness {:.3f}", relative_sharpness(gray), limits.min_sharpness, inf),
        ("colored: channels differ by {:.1f} gray levels", color, 0, limits.max_color),
        ("unclear scale (use all bits, or set white=4095 for 12 bits): brightest gray level {:.0f}", top, _UNUSED, inf),
    )
    return tuple(
        f"{text.format(value)} (limit {low if value < low else high:g})"
        for text, value, low, high in checks
        if not low <= value <= high
    )


def input_reasons(image: Slice, takes: InputConfig) -> tuple[str, ...]:
    """Return the reasons why an image is not of the kind that a model takes; none for what is not known.

    The modality `OT` (other) of many exports counts as unknown, and `CR` and `DX` as one.
    """
    given, expected = (_RADIOGRAPHY.get(str(modality), modality) for modality in (image.modality, takes.modality))
    reasons = []
    if expected and given not in (None, "OT", expected):
        reasons.append(f"wrong modality: {image.modality} (expects {takes.modality})")
    if takes.plane and image.plane not in (None, takes.plane):
        reasons.append(f"wrong plane: {image.plane} (expects {takes.plane})")
    low, high = takes.min_spacing_mm or 0, inf if takes.max_spacing_mm is None else takes.max_spacing_mm
    if image.spacing_mm and not low <= min(image.spacing_mm) <= max(image.spacing_mm) <= high:
        shown = " x ".join(f"{value:.3g}" for value in image.spacing_mm)
        reasons.append(f"wrong pixel spacing: {shown} mm (expects {low:g} to {high:g} mm)")
    return tuple(reasons)


def relative_sharpness(gray: NDArray[np.uint8]) -> float:
    """Return the contrast that a blur removes from an image of shape (H, W), as a fraction of its contrast.

    The image is resized to a fixed size and blurred with a Gaussian of one pixel. Contrast is the standard deviation of
    the gray levels. An image that is already blurry loses little (after Crete et al., SPIE 6492, 2007).
    """
    resized = Image.fromarray(gray).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    fine = np.asarray(resized, np.float32)
    lost = fine - np.asarray(resized.filter(ImageFilter.GaussianBlur(1)), np.float32)
    contrast = float(fine.std())
    return float(lost.std()) / contrast if contrast > 0 else 0.0
