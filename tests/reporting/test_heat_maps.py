from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from spinealign.inference.occlusion import HeatMap
from spinealign.inference.prediction import Prediction
from spinealign.reporting.heat_maps import HeatMapFolder, draw_heat_maps

HEAT = np.zeros((48, 48), np.float32)
HEAT[10:30, 10:30] = 1
HEAT_MAP = HeatMap(np.tile(np.arange(48, dtype=np.uint8) * 5, (48, 1)), HEAT, "fracture")


def prediction(source="folder/slice.png"):
    return Prediction("fracture", 0.9, {"fracture": 0.9, "normal": 0.1}, "model", source=source, heat_maps=(HEAT_MAP,))


def test_a_picture_shows_image_and_heat_side_by_side():
    pixels = np.asarray(draw_heat_maps([HEAT_MAP]), int)
    assert pixels.shape[1] > 2 * 300
    colored = np.ptp(pixels, axis=2) > 30
    assert colored[:, pixels.shape[1] // 2 :].sum() > 20 * colored[:, : pixels.shape[1] // 2].sum()


def test_the_heat_maps_of_several_labels_are_in_one_picture():
    one, three, eight = (draw_heat_maps([HEAT_MAP] * count).size for count in (1, 3, 8))
    assert one[0] < three[0] == eight[0], "at most three tiles in a row"
    assert one[1] < three[1] < eight[1]


def test_images_with_the_same_name_get_different_files(tmp_path):
    folder = HeatMapFolder(tmp_path / "maps")
    names = [folder.save(prediction()).name for _ in range(3)]
    assert names == ["slice.png.heat.png", "slice.png.2.heat.png", "slice.png.3.heat.png"]
    assert {path.name for path in (tmp_path / "maps").iterdir()} == set(names), "no temporary file is left"


def test_the_picture_says_if_the_image_is_not_accepted(tmp_path):
    folder = HeatMapFolder(tmp_path)
    accepted = prediction()
    rejected = replace(accepted, heat_maps=(replace(HEAT_MAP, accepted=False),))
    shown = [np.asarray(Image.open(folder.save(item))) for item in (accepted, rejected)]
    assert not np.array_equal(*shown)


def test_a_long_name_is_shortened(tmp_path):
    written = HeatMapFolder(tmp_path).save(prediction(f"{'n' * 251}.png"))
    assert written.is_file()
    assert written.name.startswith("n" * 40 + "...")


def test_a_folder_that_cannot_be_created_is_an_error(slice_png):
    with pytest.raises(OSError, match=r"slice\.png"):
        HeatMapFolder(slice_png)


def test_a_prediction_without_heat_map_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"slice\.png has no heat map"):
        HeatMapFolder(tmp_path).save(replace(prediction(), heat_maps=()))
