"""Bias of the greatest Cobb angle under independent noise of the corners: table of docs/cobb.md.

    python benchmarks/cobb_noise.py ../shared/data/scoliosis_xray/train.csv

The greatest of many noisy tilts is too large on average. The noise is normal, independent for each coordinate, and
given in pixels of a film on which a vertebra is 136 pixels wide, the mean of the films before they were scaled down.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from spinealign.alignment.cobb import aasce_angles, endplate_curves
from spinealign.alignment.vertebra import order_spine, spine
from spinealign.reporting.tables import Table

WIDTH_PX = 136
NOISE_PX = (3, 5, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="CSV of the films: file, x0 to x67, y0 to y67")
    parser.add_argument("--repeats", type=int, default=10, help="draws of the noise for each film")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    films = [order_spine(corners) for corners in read_corners(options.table)]
    rows = []
    for noise in NOISE_PX:
        errors = []
        for corners in films:
            pixel = np.mean([each.width for each in spine(corners)]) / WIDTH_PX
            exact = greatest(corners)
            for _ in range(options.repeats):
                errors.append(greatest(corners + rng.normal(scale=noise * pixel, size=corners.shape)) - exact)
        bias, spread = np.mean(errors, axis=0), np.std(errors, axis=0)
        rows.append((str(noise), *(f"{b:+.1f} ({s:.1f})" for b, s in zip(bias, spread))))
    print(f"{len(films)} films, {options.repeats} draws each; bias (SD) in degrees")
    print(Table(("noise px", "endplate", "aasce"), rows, numbers=(0, 1, 2)).text())


def greatest(corners: np.ndarray) -> np.ndarray:
    vertebrae = spine(corners)
    return np.array([endplate_curves(vertebrae)[0].angle_deg, aasce_angles(vertebrae)[0]])


def read_corners(table: Path) -> list[np.ndarray]:
    """Return the corners of each film in its pixels, shape (17, 4, 2)."""
    corners = []
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            with Image.open(table.with_suffix("") / row["file"]) as film:
                size = film.size
            points = np.array([[float(row[f"{axis}{place}"]) for axis in "xy"] for place in range(68)])
            corners.append((points * size).reshape(17, 4, 2))
    return corners


if __name__ == "__main__":
    main()
