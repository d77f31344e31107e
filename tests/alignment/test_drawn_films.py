"""Collections of drawn spines."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spinealign.alignment.cobb import aasce_angles, endplate_curves
from spinealign.alignment.drawn_films import write_frontal_spines, write_lateral_spines
from spinealign.alignment.vertebra import order_spine, spine
from spinealign.phantoms.drawn_spine import tilt_profile
from spinealign.phantoms.frontal_spine import draw_frontal_spine, random_curve


def test_angles_of_the_table_follow_from_its_corners(tmp_path: Path) -> None:
    write_frontal_spines(tmp_path / "set", {"train": 3, "test": 1}, seed=5, height=256)

    for split, count in (("train", 3), ("test", 1)):
        rows = list(csv.DictReader((tmp_path / "set" / f"{split}.csv").read_text().splitlines()))
        assert len(rows) == count
        for row in rows:
            with Image.open(tmp_path / "set" / split / row["file"]) as film:
                size = film.size
            assert 0.25 < size[0] / size[1] < 1
            fractions = np.array([[float(row[f"{axis}{place}"]) for axis in "xy"] for place in range(68)])
            corners = (fractions * size).reshape(17, 4, 2)
            assert ((fractions > 0) & (fractions < 1)).all()
            assert np.array_equal(order_spine(corners), corners)
            given = [float(row[f"cobb_{number}"]) for number in (1, 2, 3)]
            assert aasce_angles(spine(corners)) == pytest.approx(given, abs=0.05)


def test_lateral_spines_are_pictures_without_a_table(tmp_path: Path) -> None:
    write_lateral_spines(tmp_path / "set", {"train": 2}, height=128)

    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".png", ".png"]


def test_random_curves_are_mostly_below_60_degrees() -> None:
    rng = np.random.default_rng(0)
    angles = [
        float(np.ptp(tilt_profile(nodes, places=places))) for nodes, places in (random_curve(rng) for _ in range(500))
    ]

    assert max(angles) <= 110
    assert np.mean(np.array(angles) < 60) > 0.85
    assert np.mean(np.array(angles) > 10) > 0.7


def test_random_curves_are_drawn_with_their_main_angle() -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        nodes, places = random_curve(rng)
        drawn = draw_frontal_spine(nodes, places=places, height=128)
        assert endplate_curves(spine(drawn.corners))[0].angle_deg == pytest.approx(np.ptp(drawn.tilts_deg), abs=1e-6)
