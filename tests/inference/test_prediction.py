from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from spinealign import Prediction
from spinealign.errors import ImageError, MissingDependencyError
from spinealign.inference.occlusion import HeatMap
from spinealign.inference.prediction import Finding, predictions_to_dataframe

PREDICTION = Prediction(
    "fracture", 0.75, {"normal": 0.25, "fracture": 0.75}, "you/model@0123", False, ("too dark", "blurry"), "a.png"
)


GRADE = Finding("pfirrmann", "ordinal", "2", 0.75, {"1": 0.25, "2": 0.75}, expected_grade=1.75)
NARROWING = Finding("narrowing", "binary", "no", 0.9, {"no": 0.9, "yes": 0.1}, is_positive=False)
SEVERAL = Prediction(
    "pfirrmann 2", 0.75, {"pfirrmann=1": 0.25, "pfirrmann=2": 0.75, "narrowing": 0.1}, "you/discs", source="d.png",
    findings=(GRADE, NARROWING),
)  # fmt: skip


def failed(source, message):
    error = ImageError(message)
    error.source = source
    return error


def test_the_keys_of_json_are_in_order():
    content = json.loads(json.dumps(PREDICTION.to_dict()))
    assert list(content) == [
        "label", "confidence", "probabilities", "findings", "accepted", "rejection_reasons", "notes", "model",
    ]  # fmt: skip


def test_a_heat_map_is_neither_compared_nor_shown():
    heat_map = HeatMap(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.float32), "fracture")
    explained = Prediction(**{**vars(PREDICTION), "heat_maps": (heat_map,)})
    assert explained == PREDICTION
    assert (explained.heat_map, PREDICTION.heat_map) == (heat_map, None)
    assert repr(explained) == repr(PREDICTION)
    assert explained.to_dict() == PREDICTION.to_dict()


def test_a_dataframe_has_one_row_for_each_item():
    pandas = pytest.importorskip("pandas")
    other = Prediction("owl", 0.9, {"cat": 0.1, "owl": 0.9}, "you/birds", source="c.png")
    frame = predictions_to_dataframe(iter([PREDICTION, failed("b.png", "damaged"), other]))
    assert list(frame.columns) == [
        "source", "label", "confidence", "probability_normal", "probability_fracture", "probability_cat",
        "probability_owl", "accepted", "rejection_reasons", "notes", "model", "error",
    ]  # fmt: skip
    assert frame["source"].tolist() == ["a.png", "b.png", "c.png"]
    assert frame["probability_fracture"].tolist()[0] == 0.75
    assert pandas.isna(frame["confidence"][1])
    assert frame["rejection_reasons"].tolist()[0] == "too dark; blurry"
    assert frame["error"].tolist()[1] == "damaged"
    assert frame[frame["accepted"]]["source"].tolist() == ["c.png"]


def test_a_dataframe_has_the_class_and_the_grade_of_each_label():
    pytest.importorskip("pandas")
    frame = predictions_to_dataframe([SEVERAL, failed("b.png", "damaged")])
    assert list(frame.columns) == [
        "source", "label", "confidence", "label_pfirrmann", "expected_grade_pfirrmann", "label_narrowing",
        "probability_pfirrmann=1", "probability_pfirrmann=2", "probability_narrowing", "accepted",
        "rejection_reasons", "notes", "model", "error",
    ]  # fmt: skip
    assert frame.loc[0, ["label_pfirrmann", "expected_grade_pfirrmann", "label_narrowing"]].tolist() == [
        "2",
        1.75,
        "no",
    ]
    alone = Prediction("2", 0.75, GRADE.probabilities, "you/grades", findings=(GRADE,))
    assert predictions_to_dataframe([alone])["expected_grade"].tolist() == [1.75]


def test_the_findings_are_plain_data_for_json():
    grade, narrowing = json.loads(json.dumps(SEVERAL.to_dict()))["findings"]
    assert grade == {
        "name": "pfirrmann", "kind": "ordinal", "label": "2", "confidence": 0.75,
        "probabilities": {"1": 0.25, "2": 0.75}, "is_positive": None, "expected_grade": 1.75,
    }  # fmt: skip
    assert (narrowing["label"], narrowing["is_positive"], narrowing["expected_grade"]) == ("no", False, None)


def test_a_dataframe_of_nothing_has_its_columns():
    pytest.importorskip("pandas")
    frame = predictions_to_dataframe([])
    assert len(frame) == 0
    assert {"source", "label", "error"} < set(frame.columns)


def test_a_dataframe_without_pandas_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setattr("spinealign.errors.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"spinealign\[evaluate\]"):
        predictions_to_dataframe([])
