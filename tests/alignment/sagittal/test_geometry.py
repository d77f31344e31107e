"""Corners and values of drawn sagittal spines, whose measures are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinealign.alignment.sagittal.corners import endplate_middles, mask_corners, outline
from spinealign.alignment.sagittal.measuring import unit_of
from spinealign.alignment.sagittal.values import sagittal_values
from spinealign.imaging.frames import mirror_corners
from spinealign.phantoms.sagittal_spine import NAMES, SagittalAnatomy, draw_sagittal_spine

USUAL = SagittalAnatomy()
SLIPPED = replace(
    USUAL,
    slip=np.array([0.0, 0, -2, 0, 1.5, 6, 4]),
    anterior=USUAL.anterior * [1, 1, 0.8, 1, 1, 1, 1],
    disc_angle=USUAL.disc_angle + 3,
)


def known_values(anatomy):
    """Return what an anatomy states, by the names of the measures."""
    known = {}
    for place, name in enumerate(each.lower() for each in NAMES):
        known[f"height_anterior_{name}_mm"] = anatomy.anterior[place]
        known[f"height_posterior_{name}_mm"] = anatomy.posterior[place]
        pair = f"{name}_{[*NAMES, 'S1'][place + 1].lower()}"
        known[f"disc_height_{pair}_mm"] = anatomy.disc[place]
        known[f"slip_{pair}_mm"] = anatomy.slip[place]
    return known


def values_of(masks, *, spacing):
    corners = mask_corners(masks) * spacing
    return sagittal_values(corners[:-1], NAMES, sacrum_endplate=corners[-1, :2])


@pytest.mark.parametrize(
    ("anatomy", "spacing", "rotation"),
    [(USUAL, 0.5, 0), (SLIPPED, 0.75, -20), (USUAL, 1.0, 20)],
    ids=["fine", "slipped", "coarse"],
)
def test_values_of_drawn_masks_are_exact(anatomy, spacing, rotation):
    drawn = draw_sagittal_spine(anatomy, rotation_deg=rotation, spacing_mm=spacing)
    true = sagittal_values(drawn.corners * spacing, NAMES, sacrum_endplate=drawn.sacrum_endplate * spacing)
    known = known_values(anatomy)

    found = values_of(drawn.masks, spacing=spacing)

    assert {name: true[name] for name in known} == pytest.approx(known, abs=1e-6)
    assert true["segment_l5_s1"] > 0
    assert true["lordosis_l1_s1"] - true["lordosis_l1_l5"] == pytest.approx(anatomy.disc_angle[-1])
    assert found.keys() == true.keys()
    for name, value in true.items():
        limit = {"degree": 0.3, "mm": 0.2, "percent": 1.0, "ratio": 0.03}[unit_of(name)]
        assert found[name] == pytest.approx(value, abs=limit), name


def test_a_mirrored_mask_has_mirrored_corners():
    masks = draw_sagittal_spine(SLIPPED, seed=1).masks[2:7] > 0.5

    mirrored = mirror_corners(mask_corners(masks[:, :, ::-1]), masks.shape[2])

    assert mirrored == pytest.approx(mask_corners(masks), abs=0.01)


def test_corners_of_pixel_masks_are_those_of_shares():
    masks = draw_sagittal_spine(SLIPPED, seed=2).masks

    apart = np.linalg.norm(mask_corners(masks > 0.5) - mask_corners(masks), axis=2)

    assert apart.mean() < 0.25
    assert apart.max() < 0.8


def test_the_middle_of_a_concave_endplate_is_within_the_body():
    mask = np.zeros((60, 60))
    mask[20:44, 15:47] = 1
    y, x = np.mgrid[:60, :60]
    concave = mask * (np.hypot(x - 30.5, y - 10) > 14)  # 4 pixels deep in the middle
    corners = mask_corners([mask])

    flat, deep = (endplate_middles([outline(each)], corners)[0] for each in (mask, concave))

    assert flat == pytest.approx(np.array([[30.5, 19.5], [30.5, 43.5]]), abs=0.1)
    assert deep[0, 1] - flat[0, 1] == pytest.approx(4, abs=0.5)
    assert deep[1] == pytest.approx(flat[1])


def test_an_empty_mask_has_no_corners():
    with pytest.raises(ValueError, match="empty"):
        mask_corners([np.zeros((20, 20), bool)])
    assert mask_corners([]).shape == (0, 4, 2)


def test_a_body_without_corners_is_not_measured():
    corners = draw_sagittal_spine(USUAL).corners
    corners[-1] = np.nan

    found = sagittal_values(corners, NAMES)

    assert "segment_l3_l4" in found
    assert not [name for name in found if "l5" in name]


def test_bodies_without_levels_are_named_by_position():
    corners = draw_sagittal_spine(USUAL).corners[-3:]

    found = sagittal_values(corners, ("V3", "V2", "V1"))

    assert {"segment_v3_v2", "slip_v2_v1_mm", "height_ratio_v1"} < found.keys()
    assert not [name for name in found if "lordosis" in name]
