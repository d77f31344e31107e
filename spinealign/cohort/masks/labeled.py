"""A sagittal slice with masks of its structures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
STRUCTURES = ("body", "l5", "s1", "disc", "canal")  # the outputs of a segmenter, in order
BODY, L5, S1, DISC, CANAL = (1 << place for place in range(len(STRUCTURES)))  # their bits


@dataclass(frozen=True, eq=False)
class LabeledSlice:
    """A sagittal slice on a grid of 1 mm, superior up and anterior left, with masks.

    Attributes:
        name: Name of the slice in its collection, without patient data.
        patient: Patient; unique over collections, such as `spider/104`.
        source: Collection, such as `lumbar_mri`.
        sequence: `T1`, `T2`, `SPACE` or empty.
        split: `train`, `calibration`, `val` or `test`, if the collection has splits, or empty.
        gray: float32 of shape (H, W) in [0, 1.2], as `prepare_sagittal` makes it.
        bodies: uint8 of shape (H, W): number of the vertebral body, from 1 for the lowest labeled one upwards; 0
            elsewhere. S1 is not one of them.
        structures: uint8 of shape (H, W): bits `BODY`, `L5`, `S1`, `DISC`, `CANAL` of each pixel.
        ignored: uint8 of shape (H, W): bits of the structures that are unknown in a pixel.
        sacrum: Center (x, y) of the superior endplate of S1; None if it is not known or not in view.
        exact: Whether the outlines of bodies are good enough for corners; drawn by a person.
        in_mm: Whether the spacing is reliable.
    """

    name: str
    patient: str
    source: str
    gray: NDArray[np.float32]
    bodies: NDArray[np.uint8]
    structures: NDArray[np.uint8]
    ignored: NDArray[np.uint8]
    sequence: str = ""
    split: str = ""
    sacrum: tuple[float, float] | None = None
    exact: bool = True
    in_mm: bool = True

    def mask(self, structure: int) -> Mask:
        """Return the mask of a structure by its bit."""
        return (self.structures & structure) > 0

    def body_masks(self) -> list[Mask]:
        """Return the masks of the bodies from the top."""
        return [self.bodies == number for number in sorted(set(np.unique(self.bodies)) - {0}, reverse=True)]
