"""Units and display range of volumes that do not state them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.imaging.volume import Volume
from spinealign.reading.request import Request

_BRIGHT = 99.5  # percentile that is shown as white if nothing is known


def scaled(
    values: NDArray[Any],
    affine: NDArray[np.float64],
    *,
    request: Request,
    notes: Sequence[str] = (),
    shown: tuple[float, float] = (0.0, 0.0),
    air: float = 0.0,
) -> Volume:
    """Return a volume with a unit and one display range for all its slices.

    The requested unit and white come first. Values below `air` are HU, uint8 are gray levels, and `shown` are the
    values to show as black and white, if the second is larger. Otherwise white is 65535 for uint16, 1 for floats in
    [0, 1], and a high percentile of the whole volume for others, with a note.
    """
    with np.errstate(over="ignore"):
        notes, array = [*notes], values.astype(np.float32)
    if not np.isfinite(array).all():
        array = np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)
        notes.append("Voxels that are not finite were set to 0.")
    low, high = float(array.min()), float(array.max())
    unit, white = request.unit, request.white
    if unit == "HU" or (unit is None and white is None and low < air):
        return Volume(array, affine, unit="HU", modality="CT", origin=request.origin, notes=tuple(notes))
    if unit == "display" or (values.dtype == np.uint8 and white is None):
        return Volume(array, affine, unit="display", origin=request.origin, notes=tuple(notes))
    assumed = None
    if white is not None:
        window = (0.0, white)
    elif shown[1] > shown[0]:
        window = shown
    elif values.dtype.kind == "b" or (values.dtype.kind == "f" and low >= 0 and high <= 1):
        window = (0.0, 1.0)
    elif values.dtype == np.uint16:
        window, assumed = (0.0, 65535.0), 65535.0
    else:
        black = min(low, 0.0)
        window = black, max(float(np.percentile(array, _BRIGHT)), black + 1)
        notes.append("The scale is unknown: white is the 99.5th percentile of the volume; pass white to set it.")
    return Volume(
        array,
        affine,
        unit="arbitrary",
        window=window,
        assumed_white=assumed,
        origin=request.origin,
        notes=tuple(notes),
    )
