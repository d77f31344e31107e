"""Pixel filters of scikit-image: denoising and contrast equalization.

To add a filter, write a function from intensities in [0, 1] to intensities of the same shape, enter it under its name
in `DENOISE` or `EQUALIZE`, and append the name to `DENOISE_METHODS` or `EQUALIZE_METHODS` in `spinealign/config.py`.
Import scikit-image inside the function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import require
from spinealign.imaging.muting import muted

Intensity: TypeAlias = NDArray[np.floating]
Filter: TypeAlias = Callable[[Intensity], Intensity]


def gaussian(intensity: Intensity) -> Intensity:
    """Blur with a Gaussian of 1 pixel standard deviation."""
    from skimage import filters

    return filters.gaussian(intensity, sigma=1.0)


def median(intensity: Intensity) -> Intensity:
    """Take the median of 3 x 3 pixels."""
    from skimage import filters

    return filters.median(intensity, np.ones((3, 3)))


def wavelet(intensity: Intensity) -> Intensity:
    """Shrink wavelet coefficients by BayesShrink (Chang et al., IEEE TIP 9, 2000, 1532)."""
    from skimage import restoration

    with muted():  # the noise estimate warns if an image has no detail, and the result is NaN
        result = restoration.denoise_wavelet(intensity, method="BayesShrink", rescale_sigma=True)
    return result if np.isfinite(result).all() else intensity


def histogram(intensity: Intensity) -> Intensity:
    """Equalize the histogram of the whole image."""
    from skimage import exposure

    return exposure.equalize_hist(intensity)


def clahe(intensity: Intensity) -> Intensity:
    """Equalize locally with limited contrast (CLAHE; Zuiderveld, Graphics Gems IV, 1994)."""
    from skimage import exposure

    return exposure.equalize_adapthist(intensity, clip_limit=0.01)


DENOISE: Mapping[str, Filter] = {"gaussian": gaussian, "median": median, "wavelet": wavelet}
EQUALIZE: Mapping[str, Filter] = {"histogram": histogram, "clahe": clahe}


def denoise(intensity: NDArray[np.float32], method: str) -> NDArray[np.float32]:
    """Remove noise from a gray image.

    Args:
        intensity: Values in [0, 1], of shape (H, W).
        method: `none` or a name in `DENOISE`.

    Returns:
        Values in [0, 1], of the same shape.

    Raises:
        ValueError: If the method is unknown.
        MissingDependencyError: If scikit-image is not installed.
    """
    return _apply(DENOISE, method, intensity)


def equalize(intensity: NDArray[np.float32], method: str) -> NDArray[np.float32]:
    """Spread the gray levels of a gray image by a method in `EQUALIZE`, or `none`; otherwise like `denoise`."""
    return _apply(EQUALIZE, method, intensity)


def _apply(filters: Mapping[str, Filter], name: str, intensity: NDArray[np.float32]) -> NDArray[np.float32]:
    if name == "none":
        return intensity
    if name not in filters:
        raise ValueError(f"Unknown filter {name!r}; choose none, {', '.join(filters)}.")
    require("skimage", extra="filters")
    return np.clip(filters[name](intensity), 0.0, 1.0).astype(np.float32)
