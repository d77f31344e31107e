"""Image quality checks before prediction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from spinealign.config import QualityConfig

_SIDE = 224  # sharpness is measured after resizing to this side, so that limits apply to images of any size
_UNUSED = 64  # images with at most 14 of 16 bits are darker than this


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
    brightness, brightest, information, sharpness = (
        gray.mean(),
        gray.max(),
        entropy_bits(gray),
        relative_sharpness(gray),
    )
    checks = {
        f"too small: shorter side {short} pixels (limit {limits.min_side})": short < limits.min_side,
        f"odd aspect ratio: {long / short:.2f} to 1 (limit {limits.max_aspect:g})": long / short > limits.max_aspect,
        f"too dark: mean gray level {brightness:.1f} (limit {limits.min_brightness:g})": (
            brightness < limits.min_brightness
        ),
        f"too bright: mean gray level {brightness:.1f} (limit {limits.max_brightness:g})": (
            brightness > limits.max_brightness
        ),
        f"low information: {information:.2f} bits per pixel (limit {limits.min_information:g})": (
            information < limits.min_information
        ),
        f"blurry: sharpness {sharpness:.3f} (limit {limits.min_sharpness:g})": sharpness < limits.min_sharpness,
        f"colored: channels differ by {color:.1f} gray levels (limit {limits.max_color:g})": color > limits.max_color,
        f"unclear scale: brightest gray level {brightest} (limit {_UNUSED}) with white at {assumed_white or 255:g}; set white, "
        "for example to 4095 for 12 bits, or scale the file to its full depth": (
            assumed_white is not None and brightest < _UNUSED
        ),
    }
    return tuple(reason for reason, failed in checks.items() if failed)


def entropy_bits(gray: NDArray[np.uint8]) -> float:
    """Return the Shannon entropy of the gray levels of an image of shape (H, W), in bits (0 to 8)."""
    counts = np.bincount(gray.ravel(), minlength=256)
    share = counts[counts > 0] / gray.size
    return float((share * np.log2(1 / share)).sum())


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
