"""Lines by which angles are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.alignment.angle_drawing import construct_angle
from spinealign.alignment.cobb import endplate_curves
from spinealign.alignment.vertebra import spine
from spinealign.phantoms.drawn_spine import chain, tilt_profile
from spinealign.phantoms.frontal_spine import draw_frontal_spine


@pytest.mark.parametrize("reach", [0, 1000])
@pytest.mark.parametrize("nodes", [[-3, 3], [-20, 20], [20, -20], [-15, 15, -15], [-10, 15, -15, 10], [-55, 55]])
def test_the_drawn_angle_is_the_measured_one(nodes: list[float], reach: float) -> None:
    drawn = draw_frontal_spine(nodes, height=512)
    low, high = np.array([-reach, 0.0]), np.array([drawn.slice.shape[1] + reach, 512.0])
    for curve in endplate_curves(spine(drawn.corners)):
        if curve is None:
            continue
        lines = construct_angle(drawn.corners, curve, low=low, high=high)
        assert np.rad2deg(np.arccos(np.clip(lines.rays[0] @ lines.rays[1], -1, 1))) == pytest.approx(curve.angle_deg)
        for endplate, corners in zip(lines.endplates, (drawn.corners[curve.upper, :2], drawn.corners[curve.lower, 2:])):
            along = endplate[1] - endplate[0]
            away = corners - endplate[0]
            assert along[0] * away[:, 1] - along[1] * away[:, 0] == pytest.approx([0, 0], abs=1e-6)


def test_lines_of_noisy_spines_stay_in_the_picture() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        tilts, count = tilt_profile(rng.uniform(-25, 25, rng.integers(1, 5))), rng.integers(8, 18)
        corners = chain(tilts, widths=np.linspace(55, 90, 17), heights=np.linspace(30, 55, 17))[:count]
        corners += rng.normal(0, 4, corners.shape) + 30 - corners.min(axis=(0, 1))
        low, high = np.array([-260.0, 4.0]), corners.max(axis=(0, 1)) + np.array([260.0, 26.0])
        for curve in endplate_curves(spine(corners)):
            if curve and curve.angle_deg > 5:
                points = construct_angle(corners, curve, low=low, high=high).points
                assert ((points >= low) & (points <= high)).all()


def test_endplate_lines_of_a_large_curve_meet_on_the_concave_side() -> None:
    drawn = draw_frontal_spine([-55, 55], height=512)
    main = endplate_curves(spine(drawn.corners))[0]
    lines = construct_angle(drawn.corners, main, low=np.array([-500.0, 0]), high=np.array([1000.0, 512]))

    assert len(lines.perpendiculars) == 0
    assert lines.vertex[0] < drawn.corners[..., 0].min()


def test_perpendiculars_are_at_right_angles_to_their_endplates() -> None:
    drawn = draw_frontal_spine([-10, 10], height=512)
    main = endplate_curves(spine(drawn.corners))[0]
    lines = construct_angle(drawn.corners, main, low=np.zeros(2), high=np.array(drawn.slice.shape[::-1], float))

    across, down = np.diff(lines.endplates, axis=1), np.diff(lines.perpendiculars, axis=1)
    assert (across * down).sum(axis=-1) == pytest.approx(0, abs=1e-6)
