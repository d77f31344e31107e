"""Judge whether an image is good enough to ask a model about it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from spinealign.config import EnhancementConfig, QualityConfig
from spinealign.imaging.preprocessing import render
from spinealign.imaging.slice import Slice

_JUDGED_SIDE = 224  # sharpness is compared at one size, whatever the image's own


def quality_reasons(image: Slice, limits: QualityConfig, *, enhancement: EnhancementConfig) -> tuple[str, ...]:
    """Say what is wrong with an image.

    Args:
        image: The slice.
        limits: What it must bring.
        enhancement: The window in which it is judged; filters are left out.

    Returns:
        One sentence with value and limit for each fault; none for an image that may be used.
    """
    window = EnhancementConfig(enhancement.window_center, enhancement.window_width)
    gray = render(image, window)
    height, width = image.shape
    aspect = max(height, width) / min(height, width)
    brightness, information, sharpness = float(gray.mean()), entropy_bits(gray), relative_sharpness(gray)
    faults = (
        (min(height, width) < limits.min_side,
         f"too small: shorter side {min(height, width)} pixels (limit {limits.min_side})"),
        (aspect > limits.max_aspect, f"odd aspect: {aspect:.2f} to 1 (limit {limits.max_aspect:g})"),
        (brightness < limits.min_brightness,
         f"too dark: mean gray level {brightness:.1f} (limit {limits.min_brightness:g})"),
        (brightness > limits.max_brightness,
         f"too bright: mean gray level {brightness:.1f} (limit {limits.max_brightness:g})"),
        (information < limits.min_information,
         f"low information: {information:.2f} bits a pixel (limit {limits.min_information:g})"),
        (sharpness < limits.min_sharpness, f"blurry: sharpness {sharpness:.3f} (limit {limits.min_sharpness:g})"),
        (image.color > limits.max_color,
         f"coloured: channels differ by {image.color:.1f} gray levels (limit {limits.max_color:g})"),
    )  # fmt: skip
    return tuple(reason for wrong, reason in faults if wrong)


def entropy_bits(gray: NDArray[np.uint8]) -> float:
    """Return Shannon's entropy of the gray levels of an image of shape (H, W), from 0 to 8 bits."""
    counts = np.bincount(gray.ravel(), minlength=256)
    share = counts[counts > 0] / gray.size
    return float((share * np.log2(1 / share)).sum())


def relative_sharpness(gray: NDArray[np.uint8]) -> float:
    """Return how much detail an image of shape (H, W) loses by a blur, as a share of its contrast.

    The image is brought to one size and blurred by a Gaussian of one pixel; what the blur takes away is the finest
    detail (the idea of Crete et al., SPIE 6492, 2007). An image that was blurred before has little left to lose.
    """
    judged = Image.fromarray(gray).resize((_JUDGED_SIDE, _JUDGED_SIDE), Image.Resampling.BILINEAR)
    fine = np.asarray(judged, np.float32)
    lost = fine - np.asarray(judged.filter(ImageFilter.GaussianBlur(1)), np.float32)
    contrast = float(fine.std())
    return float(lost.std()) / contrast if contrast > 0 else 0.0
