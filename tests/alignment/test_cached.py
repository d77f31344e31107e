"""Measurement with a model that stays loaded."""

from __future__ import annotations

import numpy as np
import pytest

import spinealign
from spinealign.errors import ImageError
from spinealign.phantoms.frontal_spine import draw_frontal_spine


def test_bad_images_of_a_list_have_their_error_in_place(untrained_vertebrae, tmp_path) -> None:
    film = draw_frontal_spine([-20, 20], height=512).slice.pixels.astype(np.uint8)
    missing = str(tmp_path / "missing.png")
    first, second, third = spinealign.measure([film, missing, film], untrained_vertebrae, anchor={"T1": 1})

    assert first.vertebrae[0].name == "T1"
    assert isinstance(second, ImageError)
    assert second.source == missing
    assert np.array_equal(third.vertebrae[0].corners, first.vertebrae[0].corners)
    assert spinealign.measure(film, untrained_vertebrae).vertebrae[0].name == "1st visible"


def test_an_impossible_anchor_is_refused_before_reading(untrained_vertebrae) -> None:
    with pytest.raises(ValueError, match="Unknown level 'S9'"):
        spinealign.measure(iter(["missing.png"]), untrained_vertebrae, anchor={"S9": 1})
