"""Drawn lateral spines."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.alignment.vertebra import order_spine
from spinealign.phantoms.lateral_spine import draw_lateral_spine


def endplate_angle(corners: np.ndarray, superior: int, inferior: int) -> float:
    upper, lower = corners[superior, 1] - corners[superior, 0], corners[inferior, 3] - corners[inferior, 2]
    return float(np.rad2deg(np.arctan2(lower[1], lower[0]) - np.arctan2(upper[1], upper[0])))


@pytest.mark.parametrize(("facing", "sign"), [("left", 1), ("right", -1)])
def test_kyphosis_and_lordosis_are_as_asked(facing: str, sign: int) -> None:
    corners = draw_lateral_spine(45, 60, facing=facing, height=128).corners

    assert sign * endplate_angle(corners, 0, 11) == pytest.approx(45, abs=1e-6)
    assert sign * endplate_angle(corners, 12, 16) == pytest.approx(-60, abs=1e-6)
    assert np.array_equal(order_spine(corners), corners)


def test_the_back_is_convex_where_the_spine_is_kyphotic() -> None:
    centers = draw_lateral_spine(45, 60, height=128).corners.mean(axis=1)

    assert centers[:12, 0].max() == pytest.approx(centers[5:8, 0].max())  # the patient looks to the left
    assert centers[6, 0] > centers[0, 0]
    assert centers[13, 0] < min(centers[6, 0], centers[16, 0])


def test_bodies_are_brighter_than_discs_on_the_mirrored_film_too() -> None:
    for facing in ("left", "right"):
        film = draw_lateral_spine(facing=facing, seed=2, height=512)
        discs = (film.corners[:-1, 2:].mean(axis=1) + film.corners[1:, :2].mean(axis=1)) / 2
        bodies, gaps = (
            film.slice.pixels[tuple(np.rint(at).astype(int).T[::-1])] for at in (film.corners.mean(axis=1), discs)
        )
        assert (np.minimum(bodies[:-1], bodies[1:]) > gaps).mean() > 0.9


def test_impossible_lordosis_is_refused() -> None:
    with pytest.raises(ValueError, match="within 80 degrees"):
        draw_lateral_spine(40, 150)
