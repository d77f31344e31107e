"""Drawn frontal spines."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.phantoms.frontal_spine import draw_frontal_spine


def test_the_same_seed_gives_the_same_film() -> None:
    first, again, other = (draw_frontal_spine([-20, 20], seed=seed, height=128) for seed in (4, 4, 5))

    assert np.array_equal(first.slice.pixels, again.slice.pixels)
    assert not np.array_equal(first.slice.pixels[:, :40], other.slice.pixels[:, :40])


def test_vertebrae_are_brighter_than_discs_at_the_marked_place() -> None:
    film = draw_frontal_spine([-15, 15, -15], seed=1, height=512)
    middle = film.corners.mean(axis=1)
    discs = (film.corners[:-1, 2:].mean(axis=1) + film.corners[1:, :2].mean(axis=1)) / 2
    vertebrae, gaps = (film.slice.pixels[tuple(np.rint(at).astype(int).T[::-1])] for at in (middle, discs))

    assert (np.minimum(vertebrae[:-1], vertebrae[1:]) > gaps).mean() > 0.9


def test_all_corners_are_inside_the_film() -> None:
    film = draw_frontal_spine([-55, 55], height=256)

    assert (film.corners >= 0).all()
    assert (film.corners < film.slice.shape[::-1]).all()


@pytest.mark.parametrize(("nodes", "message"), [([], "at least one tilt"), ([-85, 0], "within 80 degrees")])
def test_impossible_tilts_are_refused(nodes: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_frontal_spine(nodes)
