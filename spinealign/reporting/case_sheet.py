"""The cases that a model gets most wrong, as a sheet of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinealign.imaging.drawing import Tile, draw_sheet, save_picture

COLUMNS, SIDE = 5, 288
NAME_LENGTH, COLLECTION_LENGTH = 24, 17  # together as wide as a tile


@dataclass(frozen=True, eq=False)
class Case:
    """One image with what is true and what was said.

    Attributes:
        gray: uint8 of shape (H, W).
        name: What people call it.
        truth: Name of its class.
        probability: Predicted probability of a fracture, in [0, 1].
        right: Whether the call was right.
        collection: Name of its collection.
    """

    gray: NDArray[np.uint8]
    name: str
    truth: str
    probability: float
    right: bool
    collection: str


def draw_worst_cases(cases: Sequence[Case], path: Path) -> None:
    """Write a contact sheet.

    Args:
        cases: The cases in the order of the sheet, at least one.
        path: The PNG to write.
    """
    tiles = [_tile(case) for case in cases]
    tiles += [Tile(np.full((1, 1), 255, np.uint8))] * (-len(tiles) % COLUMNS)
    wrong = sum(not case.right for case in cases)
    sheet = draw_sheet(
        [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)],
        side=SIDE,
        heading=f"{wrong} wrong calls, worst first, and {len(cases) - wrong} right calls, least sure first",
        footer="At most two images of one source. p is the predicted probability of a fracture.",
    )
    save_picture(sheet, path)


def _tile(case: Case) -> Tile:
    verdict = "right" if case.right else "WRONG"
    origin = f"{_short(case.name, NAME_LENGTH)}, {_short(case.collection, COLLECTION_LENGTH)}"
    return Tile(case.gray, f"{case.truth}, p = {case.probability:.3f}: {verdict}", origin)


def _short(name: str, length: int) -> str:
    """Leave out the later middle of a long name: series and slice stand at its head, the variant at its end."""
    tail = length // 3
    return name if len(name) <= length else f"{name[: length - tail - 1]}…{name[-tail:]}"
