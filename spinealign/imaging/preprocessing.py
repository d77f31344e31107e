"""Preprocessing from a `Slice` to the network's `pixel_values`, shared by training and inference.

A slice is rendered to 8-bit gray, resized by Pillow and normalized, in this order. The image processors of transformers
do the same to a PNG, so both give the same `pixel_values` with the default settings.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.config import EnhancementConfig, PreprocessingConfig
from spinealign.imaging.filters import apply_filter
from spinealign.imaging.slice import Slice


def apply_window(hounsfield: NDArray[np.floating], center: float, width: float) -> NDArray[np.float32]:
    """Map Hounsfield units to display intensity.

    Args:
        hounsfield: Attenuation in HU, of any shape.
        center: Center of the window in HU, which maps to 0.5.
        width: Full width of the window in HU; positive.

    Returns:
        Intensity in [0, 1], of the same shape as `hounsfield`.

    Raises:
        ValueError: If `width` is not positive.

    Example:
        >>> apply_window(np.array([-50.0, 0.0, 100.0]), center=0, width=100).tolist()
        [0.0, 0.5, 1.0]
    """
    if width <= 0:
        raise ValueError(f"width must be positive, got {width}.")
    return np.clip((np.asarray(hounsfield) - center) / width + 0.5, 0.0, 1.0).astype(np.float32)


def render(image: Slice, config: EnhancementConfig | None = None) -> NDArray[np.uint8]:
    """Render a slice as an 8-bit gray image, windowed and filtered.

    Args:
        image: Slice; HU are windowed, gray levels are not.
        config: Window and filters; None for the defaults.

    Returns:
        Gray levels, of the shape (H, W) of the slice.

    Raises:
        MissingDependencyError: If a filter needs scikit-image and it is not installed.
    """
    config = config or EnhancementConfig()
    if image.unit == "HU":
        intensity = apply_window(image.pixels, config.window_center, config.window_width)
    else:
        image = image.with_white(config.white) if config.white else image
        intensity = np.clip(image.pixels / np.float32(255), 0.0, 1.0)
    intensity = apply_filter(apply_filter(intensity, config.denoise), config.equalize)
    return np.round(intensity * 255).astype(np.uint8)


def resize(gray: NDArray[np.uint8], config: PreprocessingConfig) -> NDArray[np.uint8]:
    """Resize a gray image of shape (H, W) to (image_size, image_size)."""
    side = config.image_size
    return np.asarray(Image.fromarray(gray).resize((side, side), Image.Resampling(config.resample)))


def normalize(intensity: NDArray[np.floating], config: PreprocessingConfig) -> NDArray[np.float32]:
    """Standardize a gray image of shape (H, W) in [0, 1] for each channel, to `pixel_values` of shape (C, H, W)."""
    mean = np.array(config.image_mean, np.float32)[:, None, None]
    std = np.array(config.image_std, np.float32)[:, None, None]
    return (intensity.astype(np.float32) - mean) / std


def preprocess(image: Slice, config: PreprocessingConfig) -> NDArray[np.float32]:
    """Convert a slice to `pixel_values`, float32 of shape (C, image_size, image_size)."""
    return normalize(resize(render(image, config), config) / np.float32(255), config)
