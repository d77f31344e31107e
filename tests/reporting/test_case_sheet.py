from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import evaluate_finding, evaluate_kind, predictions_of_finding
from PIL import Image

from spinealign.metrics.evidence import Evidence
from spinealign.reporting.case_sheet import SIDE, draw_worst_cases


def evaluation(brightness, names=None, probability=None, collection="set"):
    """Return an evaluation of fractures; by default all are missed, the first by most."""
    count = len(brightness)
    sources = tuple(f"s{number}" for number in range(count))
    positive = np.ones(count, bool)
    probability = np.linspace(0.1, 0.3, count) if probability is None else np.array(probability)
    gray = np.broadcast_to(np.array(brightness, np.uint8)[:, None, None], (count, 40, 40))
    names = tuple(names or ["slice.png"] * count)
    scored = evaluate_finding(positive, probability, evidence=Evidence(collection, "val", sources), draws=10)
    return predictions_of_finding(scored, positive, probability, sources, names=names, images=gray)


def sheet(path, *evaluations):
    draw_worst_cases(evaluations, path)
    return np.asarray(Image.open(path).convert("L"))


def test_rows_have_five_cases_in_order(tmp_path):
    pixels = sheet(tmp_path / "sheet.png", evaluation([20 * number for number in range(7)]))
    first_row = pixels[100, 16 + SIDE // 2 :: SIDE + 16]
    assert first_row.tolist()[:5] == [0, 20, 40, 60, 80]
    assert pixels[100 + SIDE + 62, 16 + SIDE // 2 :: SIDE + 16].tolist()[:3] == [100, 120, 255]


def test_each_evaluation_has_its_cases(tmp_path):
    pixels = sheet(tmp_path / "sheet.png", evaluation([40]), evaluation([80]))
    assert pixels[100, 16 + SIDE // 2 :: SIDE + 16].tolist()[:3] == [40, 80, 255]


def test_a_long_name_is_shortened_in_the_middle(tmp_path):
    long = "CSFDV1B10 (18)" + "-sharpened" * 6
    first, second, other_slice = (
        sheet(tmp_path / "sheet.png", evaluation([50], [name], collection="cervical fractures of all kinds"))
        for name in (long + "-rotated1.png", long + "-rotated2.png", long.replace("18", "19") + "-rotated1.png")
    )
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other_slice)
    beside = first[100:-40, 16 + SIDE :]
    assert (beside == 255).all(), "no text runs into the next tile"


def test_wrong_and_right_predictions_differ(tmp_path):
    wrong, right = (sheet(tmp_path / "sheet.png", evaluation([50], probability=[p])) for p in (0.2, 0.8))
    assert not np.array_equal(wrong, right)


def test_an_evaluation_without_predictions_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"set \(val\) has no predictions"):
        draw_worst_cases([replace(evaluation([50]), predictions=None)], tmp_path / "sheet.png")


def test_each_label_has_its_worst_cases(tmp_path):
    one, several = (sheet(tmp_path / "sheet.png", evaluate_kind(kind)[1]).shape for kind in ("ordinal", "mixed"))
    rows = (several[0] - one[0]) / (one[0] / 4)
    assert rows == pytest.approx(8, abs=0.8), "twenty cases of three labels in rows of five"
    assert one[1] == several[1]
