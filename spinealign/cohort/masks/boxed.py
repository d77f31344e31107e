"""A sagittal slice with boxes of its discs, or without labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]  # x0, y0, x1, y1


@dataclass(frozen=True, eq=False)
class BoxedSlice:
    """A sagittal slice on a grid of 1 mm, superior up and anterior left.

    Attributes:
        name: Name of the series in its collection, without patient data.
        patient: Patient; unique over collections.
        source: Collection.
        sequence: `T1`, `T2`, `SPACE` or empty.
        gray: float32 of shape (H, W) in [0, 1.2], as `prepare_sagittal` makes it.
        discs: Boxes (x0, y0, x1, y1) in pixels of `gray` by the number of the disc: 1 is L5-S1, 2 is L4-L5, and so on.
            Empty without labels.
        certain: Whether the levels can be trusted; not in transitional anatomy.
        in_mm: Whether the spacing is reliable.
    """

    name: str
    patient: str
    source: str
    sequence: str
    gray: NDArray[np.float32] = field(repr=False)
    discs: Mapping[int, Box] = field(default_factory=dict, repr=False)
    certain: bool = True
    in_mm: bool = False
