"""Collections of drawn sagittal slices."""

from __future__ import annotations

import csv

import pytest

from spinealign.alignment.sagittal.drawn_slices import write_sagittal_spines
from spinealign.cohort.masks.loading import load_slices


def test_a_collection_is_read_as_training_data(tmp_path):
    pytest.importorskip("skimage")
    folder = write_sagittal_spines(tmp_path / "drawn", {"train": 1, "test": 1}, seed=3)

    slices = load_slices(folder).slices

    assert [len(item.body_masks()) for item in slices] == [7, 7]
    assert {item.split for item in slices} == {"train", "test"}
    assert all(item.sacrum is not None and item.in_mm for item in slices)
    with (folder / "masks.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert all(10 < float(row["height_anterior_l3_mm"]) < 40 for row in rows)
