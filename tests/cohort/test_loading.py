from __future__ import annotations

import numpy as np
import pytest

from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import load_images
from spinealign.config import ConditioningConfig
from spinealign.errors import CohortError

CONFIG = ConditioningConfig(image_size=32)


def test_images_come_in_the_order_of_the_samples(phantom_folder):
    loaded = load_images(index_cohort(phantom_folder), CONFIG, progress=False)
    assert loaded.gray.shape == (44, 32, 32)
    assert loaded.positive.tolist() == [sample.label == "fracture" for sample in loaded.cohort]
    assert len(loaded.part("val").gray) == len(loaded.part("val").cohort) == 8


def test_an_unreadable_image_is_skipped_by_name(tmp_path, slice_png):
    for name in ("fracture", "normal"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(slice_png.read_bytes())
    (tmp_path / "normal" / "b.png").write_bytes(b"no image")
    loaded = load_images(index_cohort(tmp_path), CONFIG, progress=False)
    assert len(loaded.cohort) == len(loaded.gray) == 2
    assert any(line.startswith("normal/b.png: ") for line in loaded.cohort.skipped)


def test_a_class_without_a_readable_image_is_an_error(tmp_path, slice_png):
    for name in ("fracture", "normal"):
        (tmp_path / name).mkdir()
    (tmp_path / "fracture" / "a.png").write_bytes(slice_png.read_bytes())
    (tmp_path / "normal" / "b.png").write_bytes(b"no image")
    with pytest.raises(CohortError, match=r"no image of class normal can be read.*b\.png"):
        load_images(index_cohort(tmp_path), CONFIG, progress=False)


def test_images_of_the_hub_are_read_from_their_bytes(slice_png, gray):
    from spinealign.cohort.cohort import Cohort, Sample

    sample = Sample(slice_png.read_bytes(), "fracture", "s")
    loaded = load_images(Cohort("hub", (sample,)), ConditioningConfig(image_size=40), progress=False)
    assert np.abs(loaded.gray[0].astype(float).mean() - gray.mean()) < 5
