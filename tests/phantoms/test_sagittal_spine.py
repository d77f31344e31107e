"""Drawn sagittal spines."""

from __future__ import annotations

import numpy as np

from spinealign.phantoms.sagittal_spine import draw_sagittal_spine


def level(drawn, points):
    columns, rows = np.rint(points).astype(int).T
    return drawn.slice.pixels[rows, columns]


def test_a_seed_and_a_sequence_determine_the_pixels():
    first, again, other = (draw_sagittal_spine(seed=seed, spacing_mm=2.0) for seed in (1, 1, 2))

    assert np.array_equal(first.slice.pixels, again.slice.pixels)
    assert not np.array_equal(first.corners, other.corners)
    assert first.slice.spacing_mm == (2.0, 2.0)
    assert first.slice.modality == "MR"


def test_fluid_is_bright_in_t2_and_dark_in_t1():
    for sequence, bright in (("T2", True), ("T1", False)):
        drawn = draw_sagittal_spine(sequence=sequence, seed=4)
        fluid = drawn.slice.pixels[drawn.canal & (np.indices(drawn.canal.shape)[0] > 180)]
        marrow = level(drawn, drawn.corners.mean(axis=1))
        assert (np.median(fluid) > np.median(marrow)) == bright


def test_masks_follow_the_corners():
    drawn = draw_sagittal_spine(seed=5, rotation_deg=15)
    for mask, corners in zip(drawn.masks, drawn.corners):
        y, x = np.nonzero(mask > 0.5)
        assert np.abs([x.mean(), y.mean()] - corners.mean(axis=0)).max() < 1
    assert not (drawn.disc & (drawn.masks.max(axis=0) > 0.5)).any()
    assert not (drawn.disc & drawn.canal).any()
