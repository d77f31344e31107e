from __future__ import annotations

import numpy as np
import pytest

from spinealign.imaging.drawing import Tile, draw_sheet, overlay_heat


def test_overlay_colors_hot_pixels_and_leaves_cold_ones_gray():
    gray = np.full((8, 8), 100, np.uint8)
    heat = np.zeros((8, 8))
    heat[2, 3] = 1.0
    colored = overlay_heat(gray, heat)
    assert colored[0, 0].tolist() == [100, 100, 100]
    assert colored[2, 3, 0] > 200
    assert colored[2, 3, 0] > colored[2, 3, 2]


def test_sheet_shows_each_tile_with_caption_and_ring():
    dark = np.zeros((16, 16), np.uint8)
    plain = draw_sheet([[Tile(dark), Tile(dark)]], side=64)
    ringed = draw_sheet([[Tile(dark, "a title", "a note", ring=(0.5, 0.5, 0.2)), Tile(dark)]], side=64)
    assert plain.size == ringed.size
    changed = np.any(np.asarray(plain) != np.asarray(ringed), axis=-1)
    assert changed[16:80, 16:80].any(), "the ring"
    assert changed[80:].any(), "the caption"
    assert not changed[16:80, 96:160].any(), "the other tile"


@pytest.mark.parametrize("name", ["title", "note"])
def test_a_long_caption_does_not_reach_the_next_tile(name):
    dark = np.zeros((16, 16), np.uint8)
    plain = np.asarray(draw_sheet([[Tile(dark), Tile(dark)]], side=128))
    named = np.asarray(draw_sheet([[Tile(dark, **{name: "1.2.840." * 9}), Tile(dark)]], side=128))
    assert (plain != named)[:, :144].any()
    assert not (plain != named)[:, 144:].any()
