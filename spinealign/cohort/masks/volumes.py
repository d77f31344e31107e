"""Sagittal slices of a volume and of its mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import UnsupportedFormatError
from spinealign.imaging.slice import Slice
from spinealign.imaging.volume import Volume
from spinealign.reading.volumes import read_volume

Pair = tuple[Slice, NDArray[np.float32]]


def sagittal_pairs(image: Path, mask: Path) -> list[Pair]:
    """Return the sagittal slices of a volume with the label images of its mask, from right to left.

    Raises:
        ImageError: If a file cannot be read, or the two differ in shape or place.
    """
    volume, labels = read_volume(image), read_volume(mask, unit="display")
    if volume.shape != labels.shape or not np.allclose(volume.affine, labels.affine, atol=0.1):
        raise UnsupportedFormatError(
            f"{mask.name} is not on the grid of {image.name}; resample it to that of the image."
        )
    return [(volume.sagittal(x), labels.sagittal(x).pixels) for x in _places(volume)]


def _places(volume: Volume) -> list[float]:
    """Return the patient coordinates (left is positive) of the sagittal slices, in increasing order."""
    axis = int(np.abs(volume.affine[0, :3] / volume.spacing_mm).argmax())
    count, step = volume.shape[axis], float(volume.affine[0, axis])
    middle = float(volume.affine[0] @ (*((np.array(volume.shape) - 1) / 2), 1.0))
    return sorted(middle + (number - (count - 1) / 2) * step for number in range(count))
