from __future__ import annotations

import numpy as np

from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.training_images import pixel_digest, spread, training_digests, training_splits
from spinealign.imaging.slice import Slice


def test_digests_depend_on_pixels_shape_and_unit_only():
    pixels = np.arange(12, dtype=np.float32)
    images = [
        Slice(pixels.reshape(3, 4)), Slice(pixels.reshape(4, 3)), Slice(pixels.reshape(3, 4) + 1),
        Slice(pixels.reshape(3, 4), unit="HU"),
    ]  # fmt: skip
    digests = [pixel_digest(image) for image in images]
    assert len(set(digests)) == 4
    assert max(digests) < 2**64
    assert pixel_digest(Slice(pixels.reshape(3, 4).astype(np.uint8), origin="a.png")) == digests[0]


def sample(digest, split=None, source="", patient=None):
    return Sample("", "fracture", source or str(digest), split=split, patient=patient, digest=digest)


def test_the_split_that_is_reported_is_not_in_the_list():
    with_test = Cohort("a", (sample(5, "train"), sample(3, "train"), sample(7, "val"), sample(9, "test")))
    without = Cohort("b", (sample(2**64 - 1, "train"), sample(8, "val")))
    digests = training_digests([with_test, without])
    assert {split: found.tolist() for split, found in digests.items()} == {"train": [3, 5, 2**64 - 1], "val": [7]}


def test_all_images_of_a_source_or_patient_get_its_first_split():
    digests = {"train": np.array([2**64 - 1], np.uint64), "val": np.array([4, 6], np.uint64)}
    cohort = Cohort("set", (
        sample(2**64 - 1, source="a"), sample(1, source="a"), sample(4, source="a"), sample(6, source="b", patient="p"),
        sample(2, source="c", patient="p"), sample(3),
    ))  # fmt: skip
    found = training_splits(cohort, digests)
    assert found == ["train", None, "val", "val", None, None]
    assert spread(cohort, found) == ["train", "train", "train", "val", "val", None]
