from __future__ import annotations

import pickle

import numpy as np
import pytest

from spinealign.cohort import image_store
from spinealign.cohort.image_store import StoredImages, pixel_keys, subset, write_rows

GRAY = np.random.default_rng(0).integers(0, 256, (130, 8, 8), np.uint8)


@pytest.fixture
def stored(tmp_path):
    write_rows(lambda: ({"gray": image.tobytes()} for image in GRAY), tmp_path, columns={"gray": "binary"})
    return StoredImages(tmp_path, "gray", side=8, rows=np.arange(len(GRAY)))


@pytest.mark.parametrize("index", [3, -1, slice(2, 9), slice(0, 0), [5, 5, 1], GRAY[:, 0, 0] > 128])
def test_images_are_indexed_like_an_array(stored, index):
    np.testing.assert_array_equal(stored[index], GRAY[index])


def test_a_selection_iterates_in_its_order(stored):
    chosen = subset(subset(stored, np.arange(129, 0, -1)), [0, 100, 2])
    np.testing.assert_array_equal(list(chosen), GRAY[[129, 29, 127]])
    assert chosen.shape == (3, 8, 8)
    assert list(pixel_keys(chosen)) == list(pixel_keys(GRAY[[129, 29, 127]]))


def test_a_pickled_copy_reads_the_same_files(stored):
    stored[0]
    content = pickle.dumps(stored)
    assert len(content) < GRAY.nbytes / 2
    np.testing.assert_array_equal(pickle.loads(content)[7], GRAY[7])


def test_images_are_the_same_after_the_files_are_mapped_anew(stored, monkeypatch):
    monkeypatch.setattr(image_store, "_MAPPED", 3 * 64)
    np.testing.assert_array_equal([stored[number] for number in range(10)], GRAY[:10])


def test_an_error_in_a_row_is_raised_as_it_is(tmp_path):
    def rows():
        yield {"gray": b"1"}
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_rows(rows, tmp_path, columns={"gray": "binary"})
