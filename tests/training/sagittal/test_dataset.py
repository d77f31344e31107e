from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_slices import drawn_slice

from spinealign.cohort.masks.labeled import BODY, L5, S1
from spinealign.training.sagittal.augmentation import SliceAugmentation, Warp, random_affine, vary_gray, view_slice
from spinealign.training.sagittal.dataset import CROPS_PER_SLICE, SIZE, SliceDataset, StoredSlice, collate, cut_below

STILL = SliceAugmentation(rotation_deg=0, zoom=(1, 1), stretch=0, shift=(0, 0))
L5_TOP, L5_END = 175, 199  # rows of the lowest body of the drawn slice


class Chances:
    """Random numbers that were chosen."""

    def __init__(self, chance: float, share: float) -> None:
        self._chance, self._share = chance, share

    def random(self) -> float:
        return self._chance

    def uniform(self, low: float, high: float) -> float:
        return low + self._share * (high - low)


@pytest.fixture
def stored():
    return StoredSlice.store(drawn_slice(sacrum=(77.0, 208.0)))


def cut(stored, chance, share=0.5, sacrum=(77.0, 196.0)):
    gray, masks = cut_below(stored.gray.astype(np.float32), stored.masks, sacrum=sacrum, rng=Chances(chance, share))
    return len(gray), masks


def test_a_cut_within_s1_keeps_the_labels(stored):
    row, masks = cut(stored, 0.1, share=0.9)
    assert row > L5_END
    assert (masks == stored.masks[:, :row]).all()


def test_a_cut_below_l5_leaves_open_which_body_is_l5(stored):
    row, (structures, ignored) = cut(stored, 0.5)
    assert L5_TOP < row <= L5_END + 4
    assert (ignored & L5).all()
    assert not (structures & S1).any()


@pytest.mark.parametrize("chance", [0.7, 0.9])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_cut_within_or_above_l5_leaves_no_l5(stored, chance, share):
    row, (structures, ignored) = cut(stored, chance, share)
    assert row < (L5_TOP + L5_END) / 2 + 5
    assert not (structures & (L5 | S1)).any()
    assert not (ignored & (L5 | S1)).any()
    assert (structures & BODY).any()


def test_a_slice_without_l5_is_not_cut(stored):
    masks = stored.masks & ~np.uint8(L5)
    assert cut_below(stored.gray, masks, sacrum=None, rng=Chances(0.9, 0.5))[0] is stored.gray


def test_a_view_without_changes_shows_the_slice(stored):
    gray = stored.gray.astype(np.float32)
    center = np.array([(gray.shape[1] - 1) / 2, (gray.shape[0] - 1) / 2])
    affine = random_affine(center, 64, config=STILL, rng=np.random.default_rng(0))
    seen, masks = view_slice(gray, stored.masks, affine=affine, size=64)
    rows, columns = (slice(size // 2 - 32, size // 2 + 32) for size in gray.shape)
    assert seen == pytest.approx(gray[rows, columns])
    assert (masks == stored.masks[:, rows, columns]).all()


def test_a_warp_moves_points_with_the_gray_levels():
    gray = np.zeros((120, 120), np.float32)
    gray[58:63, 68:73] = 1
    warp = Warp.random(np.random.default_rng(3), largest=6.0)
    seen = warp.apply(gray, np.zeros(2))
    rows, columns = np.mgrid[:120, :120]
    found = [float((axis * seen).sum() / seen.sum()) for axis in (columns, rows)]
    moved = warp.move(np.array([70.0, 60.0]))
    assert np.linalg.norm(moved - [70, 60]) > 1
    assert found == pytest.approx(moved, abs=0.4)


@pytest.mark.parametrize("seed", range(6))
def test_varied_gray_levels_are_finite_and_differ(seed):
    gray = drawn_slice().gray
    varied = vary_gray(gray, SliceAugmentation(), rng=np.random.default_rng(seed))
    assert varied.shape == gray.shape
    assert np.isfinite(varied).all()
    assert not np.allclose(varied, gray)


def test_views_depend_only_on_seed_epoch_and_index(stored):
    groups, weights = {"lumbar_mri": [stored]}, {"lumbar_mri": 1.0}
    first, second = (SliceDataset(groups, weights, seed=4) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first[7].values(), second[7].values()))
    second.set_epoch(1)
    assert not torch.equal(first[7]["pixel_values"], second[7]["pixel_values"])


def test_a_batch_has_views(stored):
    dataset = SliceDataset({"a": [stored]}, {"a": 1.0}, seed=0)
    batch = collate([dataset[index] for index in range(3)])
    assert batch["pixel_values"].shape == (3, 1, SIZE, SIZE)
    assert batch["wanted"].shape == batch["ignored"].shape == (3, 5, SIZE, SIZE)


def test_a_view_turns_masks_and_gray_levels_alike(stored):
    gray = np.where(stored.masks[0] & BODY, 1, 0).astype(np.float32)
    center = np.array([gray.shape[1] / 2, gray.shape[0] / 2])
    for seed in range(5):
        affine = random_affine(center, SIZE, config=SliceAugmentation(), rng=np.random.default_rng(seed))
        seen, (structures, _) = view_slice(gray, stored.masks, affine=affine, size=SIZE)
        bodies = (structures & BODY) > 0
        assert bodies.sum() > 500
        assert (bodies != (seen > 0.5)).mean() < 0.003


def test_a_batch_has_the_crops_of_exact_slices(stored):
    outline = StoredSlice.store(drawn_slice(exact=False))
    dataset = SliceDataset({"a": [stored], "b": [outline]}, {"a": 1.0, "b": 1.0}, seed=0, crops=True)
    batch = collate([dataset[index] for index in range(12)])
    assert len(batch["crop_corners"]) == len(batch["neighbors"]) == len(batch["crops"]) == 12 * CROPS_PER_SLICE
    assert not len(SliceDataset({"b": [outline]}, {"b": 1.0}, seed=0, crops=True))
    typical = batch["crop_corners"].mean(dim=0)
    assert typical[:, 0].numpy() == pytest.approx([-0.5, 0.5, -0.5, 0.5], abs=0.15)
