"""Collections of drawn x-rays of the spine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from spinealign.alignment.cobb import aasce_angles
from spinealign.alignment.vertebra import spine
from spinealign.phantoms.drawn_spine import COUNT, DrawnSpine
from spinealign.phantoms.frontal_spine import draw_frontal_spine, random_curve
from spinealign.phantoms.lateral_spine import draw_lateral_spine
from spinealign.phantoms.phantom_set import Row, new_set, write_table

ANGLES = ("cobb_1", "cobb_2", "cobb_3")
COLUMNS = ("file", "original_name", *ANGLES, *(f"{axis}{place}" for axis in "xy" for place in range(4 * COUNT)))


def write_frontal_spines(folder: str | Path, counts: Mapping[str, int], *, seed: int = 0, height: int = 768) -> Path:
    """Write frontal spines with random curves as PNG, in the layout of the AASCE set.

    Beside the folder of each split is its table, such as `train.csv`: the angles of the challenge in degrees, and the
    corners of 17 vertebrae as fractions of the width and the height.

    Args:
        folder: Destination; must not exist, or be empty.
        counts: Number of films in each split.
        seed: Seed of the first film; each following one uses the next seed.
        height: Height of the films in pixels.

    Raises:
        FileExistsError: If the folder is not empty.
        ValueError: If a count is negative, all are 0, or a name of a split is not a plain folder name.
    """
    with new_set(folder, counts, write=partial(_write_frontal, height=height), seed=seed) as (staging, rows):
        for split in counts:
            write_table(staging / f"{split}.csv", COLUMNS, rows=rows[split])
    return Path(folder).resolve()


def write_lateral_spines(folder: str | Path, counts: Mapping[str, int], *, seed: int = 0, height: int = 768) -> Path:
    """Write lateral spines with random kyphosis and lordosis as PNG; see `write_frontal_spines`. They have no table."""
    with new_set(folder, counts, write=partial(_write_lateral, height=height), seed=seed):
        return Path(folder).resolve()


def _write_frontal(folder: Path, split: str, index: int, seed: int, *, height: int) -> Row:
    nodes, places = random_curve(np.random.default_rng([seed, 1]))
    drawn = draw_frontal_spine(nodes, places=places, seed=seed, height=height)
    name = _save(drawn, folder / split)
    x, y = (drawn.corners.reshape(-1, 2) / drawn.slice.shape[::-1]).T
    values = zip(COLUMNS[2:], (*aasce_angles(spine(drawn.corners)), *x, *y))
    return {"file": name, "original_name": name, **{column: f"{value:.6f}" for column, value in values}}


def _write_lateral(folder: Path, split: str, index: int, seed: int, *, height: int) -> Row:
    rng = np.random.default_rng([seed, 1])
    kyphosis, lordosis = rng.normal(42, 12), rng.normal(52, 12)
    facing: Literal["left", "right"] = "left" if rng.random() < 0.5 else "right"
    drawn = draw_lateral_spine(kyphosis, lordosis, facing=facing, seed=seed, height=height)
    return {"file": _save(drawn, folder / split)}


def _save(drawn: DrawnSpine, folder: Path) -> str:
    name = f"spine-{drawn.seed:07d}.png"
    Image.fromarray(np.rint(drawn.slice.pixels).astype(np.uint8)).save(folder / name)
    return name
