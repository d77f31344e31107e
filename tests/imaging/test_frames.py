"""Crops along the axes of vertebrae."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.imaging.frames import (
    CROP_SHAPE,
    UNIT,
    chain_frames,
    cut_crops,
    mirror_corners,
    neighbor_features,
    standardize,
)
from spinealign.imaging.sampling import sample_bilinear
from spinealign.phantoms.frontal_spine import draw_frontal_spine


@pytest.fixture(scope="module")
def spine() -> np.ndarray:
    return draw_frontal_spine([-15, 25, -10], height=600).corners


def test_unit_coordinates_return_to_the_same_pixels(spine: np.ndarray) -> None:
    frames = chain_frames(spine)

    assert frames.to_pixels(frames.to_unit(spine)) == pytest.approx(spine, abs=1e-9)
    inside = np.abs(frames.to_unit(spine))
    assert inside[..., 0] == pytest.approx(0.5, abs=0.1)  # half a width to each side
    assert inside[..., 1].max() < 0.5


def test_a_crop_shows_the_vertebra_upright(spine: np.ndarray) -> None:
    x, y = np.meshgrid(np.arange(400), np.arange(600))
    frames = chain_frames(spine)
    place = 3
    along = np.array([-np.sin(frames.angles[place]), np.cos(frames.angles[place])])
    ramp = ((x - frames.centers[place, 0]) * along[0] + (y - frames.centers[place, 1]) * along[1]).astype(np.float32)

    crop = cut_crops(ramp, frames)[place, 0]

    assert crop.shape == CROP_SHAPE
    rows = (np.arange(CROP_SHAPE[0]) - (CROP_SHAPE[0] - 1) / 2) * frames.widths[place] / UNIT
    assert crop == pytest.approx(np.repeat(rows[:, None], CROP_SHAPE[1], axis=1), abs=1e-2)


def test_standardized_crops_do_not_depend_on_brightness(spine: np.ndarray) -> None:
    image = np.random.default_rng(0).uniform(0, 1, (600, 400)).astype(np.float32)
    crops = cut_crops(image, chain_frames(spine))

    assert standardize(crops).mean() == pytest.approx(0, abs=1e-5)
    assert standardize(crops + 5) == pytest.approx(standardize(crops), abs=1e-4)


def test_features_of_neighbors_do_not_depend_on_place_and_size(spine: np.ndarray) -> None:
    features = neighbor_features(chain_frames(spine))

    assert features.shape == (len(spine), 8)
    assert neighbor_features(chain_frames(spine * 2.5 + [40, -7])) == pytest.approx(features, abs=1e-5)


def test_mirrored_corners_keep_left_on_the_left(spine: np.ndarray) -> None:
    mirrored = mirror_corners(spine, 400)

    assert (mirrored[:, 1, 0] > mirrored[:, 0, 0]).all()
    assert mirror_corners(mirrored, 400) == pytest.approx(spine)


def test_samples_between_pixels_and_beyond_the_edge() -> None:
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    x, y = np.float32([0.5, 3.0, -2.0, 9.0]), np.float32([0.5, 2.0, 0.0, 9.0])

    assert sample_bilinear(image, x, y=y).tolist() == [2.5, 11.0, 0.0, 11.0]
    assert sample_bilinear(np.float32([[7]]), x, y=y).tolist() == [7.0] * 4
