"""Chains of vertebrae in the output maps of a locator."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.alignment.maps import decode_chain
from spinealign.phantoms.frontal_spine import draw_frontal_spine
from spinealign.training.vertebrae.targets import target_maps

SHAPE = (512, 128)


def corners_in_input(nodes: list[float] | None = None) -> np.ndarray:
    drawn = draw_frontal_spine(nodes or [-12, 18, -10], height=512)
    return drawn.corners * [SHAPE[1] / drawn.slice.shape[1], 1.0]


def maps_of(corners: np.ndarray, *, peak: float = 0.95) -> np.ndarray:
    """Return the maps of a perfect locator."""
    heat, offsets, positions = target_maps(corners, SHAPE, count=17)
    share = np.clip(heat * peak, 1e-4, None)
    return np.concatenate([np.log(share / (1 - share))[None], offsets, positions]).astype(np.float32)


@pytest.mark.parametrize("nodes", [[0], [-20, 20], [-55, 55], [-12, 18, -10]])
def test_target_maps_decode_to_the_same_corners(nodes: list[float]) -> None:
    corners = corners_in_input(nodes)

    chain = decode_chain(maps_of(corners))

    assert chain.corners == pytest.approx(corners, abs=1e-3)
    assert chain.peaks == pytest.approx(0.95, abs=1e-3)


def test_a_short_spine_gives_a_short_chain() -> None:
    corners = corners_in_input()[9:]
    maps = maps_of(corners)
    maps[9] += 9 / 4  # they are the lower ones of a whole spine

    assert decode_chain(maps).corners == pytest.approx(corners, abs=1e-3)


def test_a_false_center_beside_the_spine_is_left_out() -> None:
    corners = corners_in_input()
    maps = maps_of(corners)
    maps[0, 60, 4] = 2.0

    assert decode_chain(maps).corners == pytest.approx(corners, abs=1e-3)


def test_a_weak_vertebra_is_bridged_by_its_neighbors() -> None:
    corners = corners_in_input()
    maps = maps_of(corners)
    center = ((corners[8].mean(axis=0) - 1.5) / 4).round().astype(int)
    maps[0, center[1] - 2 : center[1] + 3, center[0] - 4 : center[0] + 5] -= 4

    chain = decode_chain(maps)

    assert len(chain.corners) == 17
    assert chain.peaks.min() < 0.3


def test_without_centers_nothing_is_found() -> None:
    maps = np.full((10, 128, 32), -9, np.float32)

    assert decode_chain(maps).corners.shape == (0, 4, 2)
