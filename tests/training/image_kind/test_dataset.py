"""Random views of images of known kinds."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.alignment.kinds import KINDS, TURNS
from spinealign.training.image_kind.dataset import KindDataset, KindExample, accepted_turns, stored_gray

SIDE = 80


@pytest.fixture(scope="module")
def examples():
    ramp = np.tile(np.linspace(0, 255, 60, dtype=np.uint8), (100, 1))
    return [KindExample(ramp, kind, f"{kind} {number}", "a") for kind in KINDS for number in range(2)]


def test_a_view_depends_on_seed_epoch_and_index_only(examples):
    first, second = (KindDataset(examples, views=20, side=SIDE, seed=3) for _ in range(2))
    second[5]
    assert all((first[7][name] == second[7][name]).all() for name in ("pixel_values", "turns"))
    second.set_epoch(1)
    assert not (first[7]["pixel_values"] == second[7]["pixel_values"]).all()


def test_views_show_all_kinds_in_the_range_of_the_input(examples):
    dataset = KindDataset(examples, views=60, side=SIDE, seed=0)
    views = [dataset[index] for index in range(60)]
    assert {view["kinds"] for view in views} == set(range(len(KINDS)))
    for view in views:
        assert view["pixel_values"].shape == (1, SIDE, SIDE)
        assert view["pixel_values"].min() >= -1
        assert view["pixel_values"].max() <= 1


def test_a_mirrored_x_ray_is_as_right_as_the_original():
    assert accepted_turns("sagittal_mr", 5).nonzero()[0].tolist() == [5]
    assert accepted_turns("frontal_xray", 5).nonzero()[0].tolist() == [1, 5]
    assert accepted_turns("neck_ct", 5).all()


def test_large_images_are_stored_smaller_with_their_aspect():
    assert stored_gray(np.zeros((1440, 720), np.uint8)).shape == (144, 72)
    assert stored_gray(np.zeros((30, 20), np.uint8)).shape == (30, 20)
    assert len(TURNS) == 8
