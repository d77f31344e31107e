"""Sagittal slices of a volume and of its mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import UnsupportedFormatError
from spinealign.imaging.slice import Slice
from spinealign.reading.volumes import read_volume

Pair = tuple[Slice, NDArray[np.float32]]


def sagittal_pairs(image: Path, mask: Path) -> list[Pair]:
    """Return the sagittal slices of a volume with the label images of its mask, from right to left.

    Raises:
        ImageError: If a file cannot be read, or the two differ in shape or place.
    """
    volume, labels = read_volume(image), read_volume(mask, unit="display")
    if not volume.has_grid_of(labels):
        raise UnsupportedFormatError(
            f"{mask.name} is not on the grid of {image.name}; resample it to that of the image."
        )
    planes = range(volume.shape[volume.sagittal_axis])
    ordered = planes if volume.affine[0, volume.sagittal_axis] > 0 else reversed(planes)
    return [(volume.sagittal_at(index), labels.sagittal_at(index).pixels) for index in ordered]
