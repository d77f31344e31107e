"""Random views of films."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.alignment.preparing import TALL_SHAPE
from spinealign.imaging.frames import chain_frames
from spinealign.training.vertebrae.augmentation import (
    FilmAugmentation,
    random_crops,
    random_view,
    vary_frames,
    view_corners,
    view_film,
    whole_view,
)

WIDTH, SHAPE = 400, (512, 128)
CORNERS = np.array(
    [[[150, 300], [240, 310], [148, 350], [238, 362]], [[160, 420], [250, 424], [158, 470], [246, 478]]], float
)


def dotted(corners: np.ndarray, shape: tuple[int, int], scale: np.ndarray) -> np.ndarray:
    """Return an image with a bright spot at each corner."""
    image = np.zeros(shape, np.float32)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for point in (corners.reshape(-1, 2) + 0.5) * scale - 0.5:
        image += np.exp(-0.5 * (((x - point[0]) / 2) ** 2 + ((y - point[1]) / 5) ** 2)).astype(np.float32)
    return image


@pytest.mark.parametrize("seed", range(6))
def test_corners_follow_the_image(seed: int) -> None:
    view = random_view(WIDTH, SHAPE, config=FilmAugmentation(), rng=np.random.default_rng(seed))
    tall = dotted(CORNERS, TALL_SHAPE, np.array([TALL_SHAPE[1] / WIDTH, 1]))

    seen = view_film(tall, WIDTH, view=view, shape=SHAPE)

    for point in view_corners(CORNERS, view).reshape(-1, 2):
        column, row = point.round().astype(int)
        around = seen[row - 6 : row + 7, column - 3 : column + 4]
        place = np.unravel_index(around.argmax(), around.shape)
        assert (place[1] + column - 3, place[0] + row - 6) == pytest.approx(point, abs=1.5)
        assert around.max() > 0.6


def test_left_stays_left_in_mirrored_views() -> None:
    mirrored = 0
    for seed in range(20):
        view = random_view(WIDTH, SHAPE, config=FilmAugmentation(), rng=np.random.default_rng(seed))
        mirrored += np.linalg.det(view[:, :2]) < 0
        seen = view_corners(CORNERS, view)
        assert (seen[:, 1, 0] > seen[:, 0, 0]).all()
        assert (seen[:, 2, 1] > seen[:, 0, 1]).all()
    assert 4 < mirrored < 16


def test_the_whole_view_shows_all_of_the_film() -> None:
    edges = np.array([[[-0.5, -0.5], [WIDTH - 0.5, -0.5], [-0.5, 1023.5], [WIDTH - 0.5, 1023.5]]])

    seen = view_corners(edges, whole_view(WIDTH, SHAPE))

    assert seen[0] == pytest.approx(np.array([[-0.5, -0.5], [127.5, -0.5], [-0.5, 511.5], [127.5, 511.5]]))


def test_corners_follow_the_crops() -> None:
    rng = np.random.default_rng(3)
    frames = vary_frames(CORNERS, rng)
    fine = dotted(CORNERS, (1024, WIDTH), np.ones(2))

    crops, corners = random_crops(fine, CORNERS, frames=frames, rng=np.random.default_rng(1))

    assert frames.to_pixels(corners) == pytest.approx(CORNERS)
    assert crops.shape == (2, 1, 80, 96)
    spread = np.abs(frames.centers - chain_frames(CORNERS).centers).max()
    assert 0 < spread < 60


def test_equal_seeds_give_equal_views() -> None:
    one, other = (random_view(WIDTH, SHAPE, config=FilmAugmentation(), rng=np.random.default_rng(5)) for _ in range(2))

    assert one.tolist() == other.tolist()
