"""Cobb angles from corners, on drawn spines and on the reference films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinealign.alignment.cobb import aasce_angles, endplate_curves
from spinealign.alignment.vertebra import order_spine, spine
from spinealign.cohort.landmarks.annotations import read_table
from spinealign.phantoms.frontal_spine import draw_frontal_spine
from spinealign.reading.slices import read_shape
from spinealign.reading.tally import Tally

SHAPES = {
    "straight": ([0], 0, None, None),
    "tilted": ([12], 0, None, None),
    "C40": ([-20, 20], 40, None, None),
    "S30/30": ([-15, 15, -15], 30, 30, None),
    "triple": ([-10, 15, -15, 10], 30, 25, 25),
    "C110": ([-55, 55], 110, None, None),
}


def corners_of(nodes: list[float]) -> np.ndarray:
    return draw_frontal_spine(nodes, height=128).corners


def rotated(corners: np.ndarray, degrees: float) -> np.ndarray:
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return corners @ np.array([[cos, sin], [-sin, cos]])


@pytest.mark.parametrize("shape", SHAPES)
def test_drawn_curves_are_measured_within_a_tenth(shape: str) -> None:
    nodes, main, above, below = SHAPES[shape]
    curves = endplate_curves(spine(corners_of(nodes)))

    assert curves[0].angle_deg == pytest.approx(main, abs=0.1)
    assert aasce_angles(spine(corners_of(nodes)))[0] == pytest.approx(main, abs=0.1)
    if shape == "triple":
        assert [curve and round(curve.angle_deg, 1) for curve in curves] == [main, above, below]
    if shape == "S30/30":  # two equal curves: either is the main one
        assert sorted(round(curve.angle_deg, 1) for curve in curves if curve) == [main, above]


def test_end_vertebrae_apex_and_side_of_a_triple_curve() -> None:
    main, above, below = endplate_curves(spine(corners_of([-10, 15, -15, 10])))

    assert (main.upper, main.lower, main.side) == (5, 11, "left")
    assert main.upper < main.apex < main.lower
    assert above
    assert (above.upper, above.lower, above.side) == (0, 5, "right")
    assert below
    assert (below.upper, below.lower, below.side) == (11, 16, "right")


@pytest.mark.parametrize("change", ["padding", "scale", "rotation"])
def test_angles_do_not_depend_on(change: str) -> None:
    corners = corners_of([-8, 18, -22, 6])
    changed = {"padding": corners + np.array([100, 900]), "scale": corners * 3.7, "rotation": rotated(corners, 15)}[
        change
    ]
    before, after = spine(corners), spine(changed)

    assert aasce_angles(after) == pytest.approx(aasce_angles(before), abs=1e-6)
    for one, other in zip(endplate_curves(before), endplate_curves(after)):
        assert one
        assert other
        assert other.angle_deg == pytest.approx(one.angle_deg, abs=1e-6)
        assert (one.upper, one.lower, one.apex, one.side) == (other.upper, other.lower, other.apex, other.side)


def test_a_mirror_changes_only_the_side() -> None:
    corners = corners_of([-8, 18, -22, 6])
    mirrored = order_spine(corners * [-1, 1])

    for one, other in zip(endplate_curves(spine(corners)), endplate_curves(spine(mirrored))):
        assert one
        assert other
        assert other.angle_deg == pytest.approx(one.angle_deg, abs=1e-6)
        assert {one.side, other.side} == {"left", "right"}


def test_pixels_that_are_not_square_need_their_spacing() -> None:
    corners = corners_of([-20, 20])
    stretched = corners * [1, 0.5]

    assert endplate_curves(spine(stretched))[0].angle_deg < 25
    in_mm = [each.scaled((2.0, 1.0)) for each in spine(stretched)]
    assert endplate_curves(in_mm)[0].angle_deg == pytest.approx(40, abs=0.1)


def test_one_vertebra_has_no_cobb_angle() -> None:
    with pytest.raises(ValueError, match="at least two vertebrae, got 1"):
        endplate_curves(spine(corners_of([0])[:1]))


@pytest.mark.data
@pytest.mark.slow
def test_the_given_angles_follow_from_the_corners(data: Path) -> None:
    differences = []
    for part in ("train", "test"):
        for film in read_table(data / "scoliosis_xray" / f"{part}.csv", Tally()):
            corners = film.in_pixels(read_shape(film.path.read_bytes()))
            differences.append(np.abs(np.subtract(aasce_angles(spine(corners)), film.given_angles)))
    within = np.array(differences) < 1

    assert len(within) == 547
    assert within[:, 0].mean() >= 0.99
    assert within.all(axis=1).mean() >= 0.97
