"""Bias of the greatest Cobb angle under independent noise of the corners: table of docs/cobb.md.

    python benchmarks/cobb_noise.py ../shared/data/scoliosis_xray/train.csv

The greatest of many noisy tilts is too large on average. The noise is normal, independent for each coordinate, and
given in pixels of a film on which a vertebra is 136 pixels wide, the mean of the films before they were scaled down.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from spinealign.alignment.cobb import aasce_angles, endplate_curves
from spinealign.alignment.vertebra import spine
from spinealign.cohort.landmarks.loading import load_films
from spinealign.reporting.tables import Table

WIDTH_PX = 136
NOISE_PX = (3, 5, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, help="collection of films, as load_films reads it")
    parser.add_argument("--repeats", type=int, default=10, help="draws of the noise for each film")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    films = [film.points for film in load_films(options.films) if film.reliable.all()]
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


if __name__ == "__main__":
    main()
