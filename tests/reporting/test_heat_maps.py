from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from spinealign import Predictor
from spinealign.reporting.heat_maps import HeatMapWriter


@pytest.fixture
def predictor(tiny_checkpoint):
    return Predictor.from_pretrained(tiny_checkpoint)


def test_a_picture_shows_the_image_and_the_heat_beside_each_other(predictor, slice_png, tmp_path):
    written = HeatMapWriter(predictor, tmp_path / "maps").write(str(slice_png), predictor(slice_png))
    assert written == tmp_path / "maps" / "slice.png.heat.png"
    with Image.open(written) as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    assert pixels.shape[1] > 2 * 300
    colored = np.ptp(pixels, axis=2) > 30
    assert colored[:, pixels.shape[1] // 2 :].sum() > 20 * colored[:, : pixels.shape[1] // 2].sum()


def test_images_of_one_name_do_not_overwrite_each_other(predictor, slice_png, tmp_path):
    writer = HeatMapWriter(predictor, tmp_path / "maps")
    names = [writer.write(str(slice_png), predictor(slice_png)).name for _ in range(3)]
    assert names == ["slice.png.heat.png", "slice.png.2.heat.png", "slice.png.3.heat.png"]
    assert {path.name for path in (tmp_path / "maps").iterdir()} == set(names), "nothing half-written is left"


def test_a_name_as_long_as_the_file_system_takes_has_its_picture(predictor, slice_png, tmp_path):
    longest = slice_png.rename(tmp_path / f"{'n' * 251}.png")
    written = HeatMapWriter(predictor, tmp_path / "maps").write(str(longest), predictor(longest))
    assert written.is_file()
    assert written.name.startswith("n" * 40 + "...")


def test_a_place_that_cannot_hold_pictures_is_known_at_once(predictor, slice_png):
    with pytest.raises(OSError, match=r"slice\.png"):
        HeatMapWriter(predictor, slice_png)
