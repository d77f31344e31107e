from __future__ import annotations

import numpy as np
from PIL import Image

from spinealign.reporting.case_sheet import SIDE, Case, draw_worst_cases


def case(brightness, name="slice.png", right=False, collection="set"):
    return Case(np.full((40, 40), brightness, np.uint8), name, "fracture", 0.25, right, collection)


def sheet(path, cases):
    draw_worst_cases(cases, path)
    return np.asarray(Image.open(path).convert("L"))


def test_cases_fill_rows_of_five_in_their_order(tmp_path):
    pixels = sheet(tmp_path / "sheet.png", [case(20 * number) for number in range(7)])
    first_row = pixels[100, 16 + SIDE // 2 :: SIDE + 16]
    assert first_row.tolist()[:5] == [0, 20, 40, 60, 80]
    assert pixels[100 + SIDE + 62, 16 + SIDE // 2 :: SIDE + 16].tolist()[:3] == [100, 120, 255]


def test_a_long_name_is_cut_to_its_tile_and_keeps_both_ends(tmp_path):
    long = "CSFDV1B10 (18)" + "-sharpened" * 6
    first, second, other_slice = (
        sheet(tmp_path / "sheet.png", [case(50, name, collection="cervical fractures of all kinds")])
        for name in (long + "-rotated1.png", long + "-rotated2.png", long.replace("18", "19") + "-rotated1.png")
    )
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other_slice)
    beside = first[100:-40, 16 + SIDE :]
    assert (beside == 255).all(), "nothing runs into the next tile"


def test_wrong_and_right_calls_are_told_apart(tmp_path):
    wrong, right = (sheet(tmp_path / "sheet.png", [case(50, right=value)]) for value in (False, True))
    assert not np.array_equal(wrong, right)
