"""Noise filters and contrast equalisation, by scikit-image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import require
from spinealign.imaging.quiet import quiet


def denoise(intensity: NDArray[np.float32], method: str) -> NDArray[np.float32]:
    """Remove noise from a gray image.

    Args:
        intensity: Values in [0, 1], of shape (H, W).
        method: `none`, `gaussian` (sigma 1 pixel), `median` (3 x 3 pixels) or `wavelet` (BayesShrink; Chang et al.,
            IEEE TIP 9, 2000, 1532).

    Returns:
        Values in [0, 1], of the same shape.

    Raises:
        ValueError: If the method is not known.
        MissingDependencyError: If scikit-image is not installed.
    """
    if method == "none":
        return intensity
    require("skimage", extra="filters")
    from skimage import filters, restoration

    if method == "gaussian":
        result = filters.gaussian(intensity, sigma=1.0)
    elif method == "median":
        result = filters.median(intensity, np.ones((3, 3)))
    elif method == "wavelet":
        with quiet():  # an image without noise has no details whose median could be taken
            result = restoration.denoise_wavelet(intensity, method="BayesShrink", rescale_sigma=True)
        result = result if np.isfinite(result).all() else intensity
    else:
        raise ValueError(f"unknown noise filter {method!r}.")
    return np.clip(result, 0.0, 1.0).astype(np.float32)


def equalize(intensity: NDArray[np.float32], method: str) -> NDArray[np.float32]:
    """Spread the gray levels of an image.

    Args:
        intensity: Values in [0, 1], of shape (H, W).
        method: `none`, `histogram` (global) or `clahe` (contrast-limited, adaptive; Zuiderveld, Graphics Gems IV,
            1994).

    Returns:
        Values in [0, 1], of the same shape.

    Raises:
        ValueError: If the method is not known.
        MissingDependencyError: If scikit-image is not installed.
    """
    if method == "none":
        return intensity
    require("skimage", extra="filters")
    from skimage import exposure

    if method == "histogram":
        result = exposure.equalize_hist(intensity)
    elif method == "clahe":
        result = exposure.equalize_adapthist(intensity, clip_limit=0.01)
    else:
        raise ValueError(f"unknown equalisation {method!r}.")
    return np.asarray(result, np.float32)
