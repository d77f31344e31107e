from __future__ import annotations

import json

import numpy as np
import pytest

from spinealign.evaluation.evaluation import Evaluation, format_evaluations
from spinealign.evaluation.intervals import wilson_interval

POSITIVE = np.array([True] * 4 + [False] * 4)
SOURCES = ["a"] * 4 + ["b", "b", "c", "c"]


def evaluation(probability, **more):
    return Evaluation.of(POSITIVE, np.array(probability, float), sources=SOURCES, name=("set", "val"), **more)


def test_copies_of_a_source_count_once_in_the_interval():
    perfect = evaluation([1, 1, 1, 1, 0, 0, 0, 0])
    assert perfect.accuracy_interval == wilson_interval(1.0, 3)
    assert (perfect.images, perfect.sources, perfect.scores.accuracy) == (8, 3, 1.0)
    low, high = perfect.accuracy_interval
    assert low == pytest.approx(0.438, abs=0.001)
    assert high == 1.0


def test_the_table_never_shows_an_accuracy_without_what_it_rests_on():
    table = format_evaluations([evaluation([1, 1, 1, 1, 0, 0, 0, 1], thumbnail_ridge_accuracy=0.9775)])
    header, row, warning = table.splitlines()
    assert "sources" in header
    assert "thumbnail ridge" in header
    for cell in ("87.50 %", " 3 ", "97.75 %"):
        assert cell in row
    assert "says nothing about fractures" in warning


def test_a_split_where_the_probe_fails_carries_no_warning():
    assert evaluation([1, 1, 1, 1, 0, 0, 0, 0], thumbnail_ridge_accuracy=0.5).shortcut_warning is None
    assert evaluation([1, 1, 1, 1, 0, 0, 0, 0]).shortcut_warning is None


def test_sensitivity_is_known_by_size_where_sizes_are():
    sizes = np.array([1.5, 2.5, 3.5, 20.0] + [np.nan] * 4)
    measured = evaluation([0.1, 0.9, 0.9, 0.2, 0, 0, 0, 0], size_mm=sizes)
    found = [(entry.from_mm, entry.sensitivity) for entry in measured.sensitivity_by_size]
    assert found == [(1, 0), (2, 1), (3, 1), (8, 0)]
    assert measured.sensitivity_from(3.0) == 0.5
    assert measured.sensitivity_from(9.0) is None


def test_the_content_is_plain_data():
    content = json.loads(json.dumps(evaluation([1, 1, 1, 1, 0, 0, 0, 0]).to_dict()))
    assert content["scores"]["auroc"] == 1.0
    assert content["sources"] == 3
