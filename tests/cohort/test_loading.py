from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.file_properties import PROPERTIES
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import LoadedCohort, read_cohort, require_readable
from spinealign.config import PreprocessingConfig
from spinealign.errors import CohortError
from spinealign.labels import binary_target

CONFIG = PreprocessingConfig(image_size=32)


def cohort(*paths: Path) -> Cohort:
    return Cohort("set", tuple(Sample(str(path), "normal", path.name, name=path.name) for path in paths))


def saved(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def test_images_are_in_the_order_of_the_samples(phantom_folder):
    loaded = read_cohort(index_cohort(phantom_folder), CONFIG, progress=False)
    assert loaded.gray.shape == (44, 32, 32)
    assert loaded.looks.shape == (44, 224, 224)
    assert loaded.codes(binary_target("normal", "fracture").labels[0]).tolist() == [
        sample.label == "fracture" for sample in loaded.cohort
    ]
    assert len(loaded.part("val").gray) == len(loaded.part("val").cohort) == 8
    assert {len(column) for column in loaded.properties.values()} == {44}
    assert list(loaded.properties) == list(PROPERTIES)


@pytest.mark.parametrize(
    ("config", "shared"),
    [(None, True), (PreprocessingConfig(image_mean=(0.5,), image_std=(0.5,)), True), (CONFIG, False)],
    ids=["default", "other normalization", "other size"],
)
def test_equal_renderings_share_one_array(tmp_path, config, shared):
    loaded = read_cohort(cohort(saved(tmp_path / "a.png", np.eye(40) * 255)), config, progress=False)
    assert (loaded.looks is loaded.gray) == shared


def test_gray_and_color_files_with_equal_pixels_are_identical(tmp_path):
    gray = np.arange(24 * 24).reshape(24, 24) % 251
    paths = saved(tmp_path / "gray.png", gray), saved(tmp_path / "rgb.png", np.stack([gray] * 3, axis=-1))
    loaded = read_cohort(cohort(*paths, saved(tmp_path / "other.png", gray.T)), CONFIG, progress=False)
    first, second, third = (sample.digest for sample in loaded.cohort)
    assert first == second != third


def test_an_unreadable_image_is_skipped_by_name(tmp_path):
    good = saved(tmp_path / "good.png", np.eye(24) * 255)
    (tmp_path / "bad.png").write_bytes(b"no image")
    loaded = read_cohort(cohort(tmp_path / "bad.png", tmp_path / "gone.png", good), CONFIG, progress=False)
    assert [sample.name for sample in loaded.cohort] == ["good.png"]
    assert len(loaded.gray) == len(loaded.looks) == 1
    assert [sample.name for sample, _ in loaded.unreadable] == ["bad.png", "gone.png"]
    assert [line.split()[0].rstrip(":") for line in loaded.cohort.skipped] == ["bad.png", "gone.png"]


def test_remarks_on_images_are_counted(tmp_path):
    frames = [Image.fromarray(np.full((24, 24), value, np.uint8)) for value in (0, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    good = saved(tmp_path / "good.png", np.eye(24) * 255)
    loaded = read_cohort(cohort(tmp_path / "a.gif", good), CONFIG, progress=False)
    assert loaded.cohort.skipped == ("1 image with the note 'The first of several frames.' (a.gif)",)
    assert loaded.modality is None


def test_only_bad_files_are_an_error(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(CohortError, match=r"none of 1 images can be read .*; the first: bad\.png"):
        read_cohort(cohort(tmp_path / "bad.png"), progress=False)


def test_a_class_without_a_readable_image_is_an_error(tmp_path):
    saved(tmp_path / "fracture" / "a.png", np.eye(24) * 255)
    (tmp_path / "normal").mkdir()
    (tmp_path / "normal" / "b.png").write_bytes(b"no image")
    loaded = read_cohort(index_cohort(tmp_path), CONFIG, progress=False)
    with pytest.raises(CohortError, match=r"no image of class normal can be read.*b\.png"):
        require_readable(loaded)


def test_images_from_the_hub_are_read_from_bytes(slice_png, gray):
    sample = Sample(slice_png.read_bytes(), "fracture", "s")
    loaded = read_cohort(Cohort("hub", (sample,)), PreprocessingConfig(image_size=40), progress=False)
    assert np.abs(loaded.gray[0].astype(float).mean() - gray.mean()) < 5


def test_visual_groups_are_computed_once(monkeypatch):
    loaded = LoadedCohort(Cohort("set", ()), np.zeros((2, 8, 8), np.uint8), CONFIG)
    calls = []
    monkeypatch.setattr(
        "spinealign.cohort.loading.group_similar_images", lambda gray, progress: calls.append(gray) or np.zeros(2)
    )
    loaded.visual_groups()
    loaded.visual_groups()
    assert len(calls) == 1


def test_the_repr_of_a_loaded_cohort_has_no_pixels(phantom_folder):
    assert len(repr(read_cohort(index_cohort(phantom_folder), progress=False))) < 600
