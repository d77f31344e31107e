"""Slices with label images, as collections write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import CohortError
from spinealign.imaging.slice import Slice

BODIES = (*(f"L{number}" for number in range(5, 0, -1)), *(f"T{number}" for number in range(12, 0, -1)))  # from below
NAMES = ("", *BODIES, "S1", "disc", "canal", "vertebra", "ignore")  # of label images, by their values
Codes = Mapping[int | tuple[int, ...], int]  # of label values: numbers or colors
CODES = {name: code for code, name in enumerate(NAMES)}


@dataclass(frozen=True, eq=False)
class DrawnSlice:
    """A sagittal slice with a label image of the same size.

    Attributes:
        name, patient, source, sequence, split, in_mm: See `LabeledSlice`.
        image: The slice, superior up and anterior left.
        labels: uint8 of shape (H, W), values of `CODES`.
        labeled: Names that the collection labels wherever they are visible.
        whole: Whether masks of levels include the posterior elements of vertebrae.
        levels: Whether the names of levels can be trusted.
    """

    name: str
    patient: str
    source: str
    image: Slice = field(repr=False)
    labels: NDArray[np.uint8] = field(repr=False)
    labeled: frozenset[str]
    sequence: str = ""
    split: str = ""
    in_mm: bool = True
    whole: bool = False
    levels: bool = True


def label_codes(names: Mapping[str, str]) -> Codes:
    """Return the codes of label values, which are numbers or colors such as "255,0,0", from their names.

    Raises:
        CohortError: If a value or a name is unknown.
    """
    codes: dict[int | tuple[int, ...], int] = {}
    for value, name in names.items():
        if name not in CODES or not name:
            raise CohortError(f"Unknown structure {name!r}; use one of {', '.join(NAMES[1:])}.")
        try:
            parts = tuple(int(part) for part in value.split(","))
        except ValueError:
            parts = ()
        if len(parts) not in (1, 3):
            raise CohortError(f"Expected a label value such as 1 or a color such as 255,0,0, got {value!r}.")
        codes[parts if len(parts) == 3 else parts[0]] = CODES[name]
    return codes


def encode(values: NDArray[np.generic], codes: Codes) -> NDArray[np.uint8]:
    """Return the label image of codes from stored values of shape (H, W) or colors of shape (H, W, 3)."""
    colors = values.ndim == 3
    numbers = values.astype(np.int64) @ (65536, 256, 1) if colors else values.astype(np.int64)
    known = {
        int(np.dot(value, (65536, 256, 1))) if isinstance(value, tuple) else value: code
        for value, code in codes.items()
        if isinstance(value, tuple) == colors
    }
    places = np.array(sorted(known), np.int64)
    if not len(places):
        return np.zeros(values.shape[:2], np.uint8)
    nearest = np.searchsorted(places, numbers).clip(max=len(places) - 1)
    found = np.array([known[place] for place in places.tolist()], np.uint8)[nearest]
    return np.where(places[nearest] == numbers, found, 0).astype(np.uint8)
