"""Rendered images: decoded and rendered once for quality checks, prediction and explanation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.config import EnhancementConfig, InputConfig, PreprocessingConfig
from spinealign.imaging.preprocessing import render, resize
from spinealign.imaging.quality import input_reasons
from spinealign.imaging.slice import Slice


@dataclass(frozen=True, eq=False)
class PreparedImage:
    """An image, rendered for quality checks and for the network.

    Attributes:
        source: Path of the image as given, or the kind of object.
        color: Color of the original, see `Slice.color`.
        assumed_white: See `Slice.assumed_white`; None if the model's settings name the white.
        window_gray: The slice in the model's window, without filters, uint8 of shape (H, W).
        gray: The slice in the model's window, filtered and resized, uint8 of shape (S, S).
        mismatches: Reasons why it is not of the kind that the model takes.
        notes: See `Slice.notes`.
    """

    source: str
    color: float
    assumed_white: float | None
    window_gray: NDArray[np.uint8]
    gray: NDArray[np.uint8]
    mismatches: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def prepare(image: Slice, config: PreprocessingConfig, *, takes: InputConfig | None = None) -> PreparedImage:
    """Render a slice with the preprocessing of a model, which takes images of one kind; None for any.

    Raises:
        MissingDependencyError: If a filter needs a package that is not installed.
    """
    image = image.with_white(config.white) if config.white else image
    window_gray = render(image, EnhancementConfig(config.window_center, config.window_width))
    filtered = config.denoise != "none" or config.equalize != "none"
    gray = resize(render(image, config) if filtered else window_gray, config)
    mismatches = input_reasons(image, takes) if takes else ()
    return PreparedImage(image.origin, image.color, image.assumed_white, window_gray, gray, mismatches, image.notes)
