from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spinealign.cohort.audit.measuring import PROPERTIES, measure_cohort
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.errors import CohortError


def cohort(*paths: Path) -> Cohort:
    return Cohort("set", tuple(Sample(str(path), "normal", path.name, name=path.name) for path in paths))


def saved(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def test_properties_are_those_of_the_file(tmp_path):
    pixels = np.zeros((32, 48), np.uint8)
    pixels[2:-2, 2:-2] = 200
    measured = measure_cohort(cohort(saved(tmp_path / "a.png", pixels)), progress=False)
    values = {name: float(column[0]) for name, column in measured.values.items()}
    assert list(values) == list(PROPERTIES)
    assert (values["height"], values["width"], values["channels"]) == (32, 48, 1)
    assert values["file size"] == pytest.approx((tmp_path / "a.png").stat().st_size / 1024)
    assert values["brightness"] == pytest.approx(pixels.mean())
    assert values["border brightness"] == 0
    assert values["black"] == pytest.approx((pixels == 0).mean())
    assert values["sharpness"] > 100


def test_color_is_three_channels_and_gray_pixels_decide_identity(tmp_path):
    gray = np.arange(24 * 24).reshape(24, 24) % 251
    paths = saved(tmp_path / "gray.png", gray), saved(tmp_path / "rgb.png", np.stack([gray] * 3, axis=-1))
    measured = measure_cohort(cohort(*paths, saved(tmp_path / "other.png", gray.T)), progress=False)
    assert measured.values["channels"].tolist() == [1, 3, 1]
    first, second, third = measured.pixel_hashes
    assert first == second != third


def test_bad_files_are_listed_and_the_rest_is_measured(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    good = saved(tmp_path / "good.png", np.eye(24) * 255)
    measured = measure_cohort(cohort(tmp_path / "bad.png", tmp_path / "gone.png", good), progress=False)
    assert [sample.name for sample in measured.loaded.cohort] == ["good.png"]
    assert [line.split(":")[0] for line in measured.unreadable] == ["bad.png", "gone.png"]


def test_nothing_but_bad_files_is_an_error(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(CohortError, match=r"none of 1 images can be read; the first: bad\.png"):
        measure_cohort(cohort(tmp_path / "bad.png"), progress=False)


def test_the_smallest_image_is_no_special_case(tmp_path):
    measured = measure_cohort(cohort(saved(tmp_path / "dot.png", np.full((1, 1), 9))), progress=False)
    assert all(np.isfinite(column).all() for column in measured.values.values())
