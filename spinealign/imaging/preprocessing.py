"""The one way from a `Slice` to the network's input, shared by training and serving.

A slice is rendered to 8-bit gray, resized by Pillow and normalised, in this order, because the image processors of
transformers do the same to a PNG: with the default settings both give the same `pixel_values`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.config import ConditioningConfig, EnhancementConfig
from spinealign.imaging.filters import denoise, equalize
from spinealign.imaging.slice import Slice


def apply_window(hounsfield: NDArray[np.floating], center: float, width: float) -> NDArray[np.float32]:
    """Map Hounsfield units to display intensity, as a radiology viewer does.

    Args:
        hounsfield: Attenuation in HU, of any shape.
        center: Middle of the window in HU; it maps to 0.5.
        width: Full width of the window in HU; it must be positive.

    Returns:
        Intensity in [0, 1], of the same shape as `hounsfield`.

    Raises:
        ValueError: If `width` is not positive.

    Example:
        >>> apply_window(np.array([-50.0, 0.0, 100.0]), center=0, width=100).tolist()
        [0.0, 0.5, 1.0]
    """
    if width <= 0:
        raise ValueError(f"width must be positive, not {width}.")
    return np.clip((np.asarray(hounsfield) - center) / width + 0.5, 0.0, 1.0).astype(np.float32)


def render(image: Slice, config: EnhancementConfig | None = None) -> NDArray[np.uint8]:
    """Make a slice an 8-bit gray image, windowed and enhanced.

    Args:
        image: The slice; HU are windowed, gray levels stay as they are.
        config: Window and filters; the defaults where None.

    Returns:
        Gray levels of the slice's own shape (H, W).

    Raises:
        MissingDependencyError: If a filter is wanted whose package is not installed.
    """
    config = config or EnhancementConfig()
    if image.unit == "HU":
        intensity = apply_window(image.pixels, config.window_center, config.window_width)
    else:
        intensity = np.clip(image.pixels / np.float32(255), 0.0, 1.0)
    intensity = equalize(denoise(intensity, config.denoise), config.equalize)
    return np.round(intensity * 255).astype(np.uint8)


def resize(gray: NDArray[np.uint8], config: ConditioningConfig) -> NDArray[np.uint8]:
    """Bring a gray image of shape (H, W) to the network's square size."""
    side = config.image_size
    return np.asarray(Image.fromarray(gray).resize((side, side), Image.Resampling(config.resample)))


def normalize(intensity: NDArray[np.floating], config: ConditioningConfig) -> NDArray[np.float32]:
    """Standardise a gray image and repeat it for each channel.

    Args:
        intensity: Values in [0, 1], of shape (H, W).
        config: Mean and standard deviation of each channel.

    Returns:
        `pixel_values` of shape (C, H, W).
    """
    mean = np.array(config.image_mean, np.float32)[:, None, None]
    std = np.array(config.image_std, np.float32)[:, None, None]
    return (intensity.astype(np.float32) - mean) / std


def condition(image: Slice, config: ConditioningConfig) -> NDArray[np.float32]:
    """Turn a slice into the network's input.

    Args:
        image: The slice.
        config: The settings that travel with the weights.

    Returns:
        `pixel_values`, float32 of shape (C, image_size, image_size).
    """
    return normalize(resize(render(image, config), config) / np.float32(255), config)
