"""Pictures of alignments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from spinealign.alignment.measuring import not_measured
from spinealign.alignment.result import Alignment
from spinealign.checkpoint.files import FRONTAL_XRAY
from spinealign.reporting.alignment_overlay import COLORS, draw_overlay
from spinealign.reporting.canvas import GROUND


def shares_of(picture: Image.Image) -> dict[str, int]:
    """Return the number of pixels in the color of each curve."""
    pixels = np.asarray(picture).astype(int)
    return {name: int((np.abs(pixels - color).max(axis=-1) < 12).sum()) for name, color in COLORS.items()}


@pytest.mark.parametrize(
    ("nodes", "drawn"),
    [
        ([0], {"cobb_main"}),
        ([-20, 20, 18], {"cobb_main"}),  # a lower curve of 2 degrees
        ([20, -35, 10], {"cobb_main", "cobb_lower"}),
        ([-10, 15, -15, 10], {"cobb_main", "cobb_upper", "cobb_lower"}),
        ([-55, 55], {"cobb_main"}),
    ],
)
def test_each_curve_is_drawn_inside_the_picture(align, nodes, drawn) -> None:
    picture = draw_overlay(align(nodes, height=128))
    pixels = np.asarray(picture)

    assert {name for name, count in shares_of(picture).items() if count > 50} == drawn
    for edge in (pixels[:6], pixels[-6:], pixels[:, :6], pixels[:, -6:]):
        assert (np.abs(edge.astype(int) - GROUND) <= 2).all()


def test_a_rejected_image_is_shown_with_its_reasons() -> None:
    reasons = ("fewer than 8 vertebrae were found in a chain", "it is unlike a frontal film of the whole spine") * 3
    gray = np.full((200, 80), 128, np.uint8)
    item = Alignment(
        FRONTAL_XRAY, (), accepted=False, rejection_reasons=reasons, gray=gray, **not_measured(reasons)._asdict()
    )
    picture = draw_overlay(item)

    assert not any(shares_of(picture).values())
    assert (np.abs(np.asarray(picture)[:, -6:].astype(int) - GROUND) <= 2).all(), "the reasons are wrapped"


def test_the_overlay_is_saved_as_png(align, tmp_path) -> None:
    path = align([-20, 20], height=128).save_overlay(tmp_path / "new" / "film.png")

    with Image.open(path) as picture:
        assert picture.format == "PNG"


def test_an_alignment_without_image_cannot_be_drawn(align) -> None:
    with pytest.raises(ValueError, match="has no image"):
        draw_overlay(replace(align([0]), gray=None))


def test_a_film_with_flat_pixels_is_drawn_with_square_ones(align) -> None:
    square = align([-20, 20])
    halved = tuple(replace(each, corners=each.corners * [1, 0.5]) for each in square.vertebrae)
    flat = replace(square, vertebrae=halved, gray=square.gray[::2], spacing_mm=(0.4, 0.2))

    one, other = draw_overlay(square), draw_overlay(flat)

    assert np.abs(np.subtract(one.size, other.size)).max() <= 2
    difference = np.asarray(one.resize(other.size), float) - np.asarray(other, float)
    assert np.abs(difference).mean() < 5
