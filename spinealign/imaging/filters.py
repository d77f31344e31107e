"""Pixel filters of scikit-image: denoising and contrast equalization.

To add a filter, enter it under its name in `_filters` and append the name to `DENOISE_METHODS` or `EQUALIZE_METHODS` in
`spinealign/config.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import require
from spinealign.imaging.muting import muted


def apply_filter(intensity: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Apply a denoising or equalization filter to a gray image.

    Args:
        intensity: Values in [0, 1], of shape (H, W).
        name: `none`, `gaussian` (standard deviation of 1 pixel), `median` (of 3 x 3 pixels), `wavelet` (BayesShrink;
            Chang et al., IEEE TIP 9, 2000, 1532), `histogram` (equalization) or `clahe` (local equalization with
            limited contrast; Zuiderveld, Graphics Gems IV, 1994).

    Returns:
        Values in [0, 1], of the same shape.

    Raises:
        ValueError: If the name is unknown.
        MissingDependencyError: If scikit-image is not installed.
    """
    if name == "none":
        return intensity
    require("skimage", extra="filters")
    filters = _filters()
    if name not in filters:
        raise ValueError(f"Unknown filter {name!r}; choose none, {', '.join(filters)}.")
    with muted():  # the noise estimate of wavelets warns if an image has no detail, and the result is NaN
        result = filters[name](intensity)
    return np.clip(result, 0.0, 1.0).astype(np.float32) if np.isfinite(result).all() else intensity


def _filters() -> dict[str, Callable[[NDArray[np.float32]], NDArray[np.floating]]]:
    from skimage import exposure, filters, restoration

    return {
        "gaussian": lambda image: filters.gaussian(image, sigma=1.0),
        "median": lambda image: filters.median(image, np.ones((3, 3))),
        "wavelet": lambda image: restoration.denoise_wavelet(image, method="BayesShrink", rescale_sigma=True),
        "histogram": exposure.equalize_hist,
        "clahe": lambda image: exposure.equalize_adapthist(image, clip_limit=0.01),
    }
