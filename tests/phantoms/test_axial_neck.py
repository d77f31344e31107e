from __future__ import annotations

import numpy as np
import pytest

from spinealign.imaging.preprocessing import render
from spinealign.metrics.shortcut import thumbnail, thumbnail_ridge_calls
from spinealign.phantoms.axial_neck import MAX_BREAK_MM, MIN_BREAK_MM, draw_phantom


def test_same_seed_draws_the_same_phantom():
    first, second = draw_phantom(11), draw_phantom(11)
    np.testing.assert_array_equal(first.slice.pixels, second.slice.pixels)
    assert (first.label, first.level) == (second.label, second.level)
    assert not np.array_equal(first.slice.pixels, draw_phantom(12).slice.pixels)


def test_phantom_is_a_ct_slice_with_a_round_field_of_view():
    image = draw_phantom(3, size=128).slice
    assert (image.unit, image.modality, image.shape) == ("HU", "CT", (128, 128))
    assert image.spacing_mm[0] == image.spacing_mm[1]
    assert 95 <= image.spacing_mm[0] * 128 <= 140
    corners = image.pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == -2000).all()
    assert (image.pixels > 600).any()
    assert ((image.pixels > 0) & (image.pixels < 100)).mean() > 0.2


def test_about_half_of_the_phantoms_are_fractured():
    labels = [draw_phantom(seed, size=64).label for seed in range(200)]
    assert 75 <= labels.count("fracture") <= 125


@pytest.mark.parametrize("seed", range(4))
def test_fractured_phantom_differs_only_at_the_break(seed):
    intact, broken = draw_phantom(seed, fractured=False), draw_phantom(seed, fractured=True, break_mm=4.0)
    assert intact.fracture is None
    assert broken.fracture.size_mm == 4.0
    changed = np.abs(broken.slice.pixels - intact.slice.pixels) > 150
    rows, columns = np.nonzero(changed)
    assert changed.any()
    assert broken.fracture.mask.any()
    pitch = broken.slice.spacing_mm[0]
    assert np.hypot(np.ptp(rows), np.ptp(columns)) * pitch < 45
    center = np.argwhere(broken.fracture.mask).mean(axis=0)
    distances = np.hypot(rows - center[0], columns - center[1]) * pitch
    assert np.median(distances) < 8


def test_breaks_have_all_sizes_kinds_and_sites():
    fractures = [draw_phantom(seed, fractured=True, size=64).fracture for seed in range(150)]
    sizes = [fracture.size_mm for fracture in fractures]
    assert min(sizes) < 1.5
    assert max(sizes) > 7.5
    assert all(MIN_BREAK_MM <= size <= MAX_BREAK_MM for size in sizes)
    assert {fracture.kind for fracture in fractures} == {"gap", "displaced"}
    sites = {"body", "pedicle", "transverse process", "lamina", "spinous process"}
    assert {fracture.site for fracture in fractures} == sites


def test_wider_break_has_a_larger_mask():
    areas = {
        size: np.mean([
            draw_phantom(seed, fractured=True, break_mm=size, size=192).fracture.mask.sum() for seed in range(6)
        ])
        for size in (1.0, 4.0, 8.0)
    }  # fmt: skip
    assert areas[1.0] < areas[4.0] < areas[8.0]


@pytest.mark.parametrize(
    ("arguments", "words"), [({"size": 32}, "size"), ({"break_mm": 0.2}, "break_mm"), ({"break_mm": 9.0}, "break_mm")]
)
def test_arguments_out_of_range_raise(arguments, words):
    with pytest.raises(ValueError, match=words):
        draw_phantom(1, **arguments)


@pytest.mark.slow
def test_linear_model_on_thumbnails_cannot_detect_fractures():
    phantoms = [draw_phantom(4_000_000 + index, fractured=index % 2 == 0, size=64) for index in range(1200)]
    features = np.stack([thumbnail(render(phantom.slice)) for phantom in phantoms])
    positive = np.array([phantom.label == "fracture" for phantom in phantoms])
    calls = thumbnail_ridge_calls(features[:800], positive[:800], test=features[800:])
    assert (calls == positive[800:]).mean() < 0.65
