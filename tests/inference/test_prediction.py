from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from spinealign import Prediction
from spinealign.errors import ImageError, MissingDependencyError
from spinealign.inference.occlusion import HeatMap
from spinealign.inference.prediction import predictions_to_dataframe

PREDICTION = Prediction(
    "fracture", 0.75, {"normal": 0.25, "fracture": 0.75}, "you/model@0123", False, ("too dark", "blurry"), "a.png"
)


def failed(source, message):
    error = ImageError(message)
    error.source = source
    return error


def test_the_keys_of_json_are_in_order():
    content = json.loads(json.dumps(PREDICTION.to_dict()))
    assert list(content) == ["label", "confidence", "probabilities", "accepted", "rejection_reasons", "model"]


def test_a_heat_map_is_neither_compared_nor_shown():
    heat_map = HeatMap(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.float32), "fracture")
    explained = Prediction(**{**vars(PREDICTION), "heat_map": heat_map})
    assert explained == PREDICTION
    assert repr(explained) == repr(PREDICTION)
    assert explained.to_dict() == PREDICTION.to_dict()


def test_a_dataframe_has_one_row_for_each_item():
    pandas = pytest.importorskip("pandas")
    other = Prediction("owl", 0.9, {"cat": 0.1, "owl": 0.9}, "you/birds", source="c.png")
    frame = predictions_to_dataframe(iter([PREDICTION, failed("b.png", "damaged"), other]))
    assert list(frame.columns) == [
        "source", "label", "confidence", "probability_normal", "probability_fracture", "probability_cat",
        "probability_owl", "accepted", "rejection_reasons", "model", "error",
    ]  # fmt: skip
    assert frame["source"].tolist() == ["a.png", "b.png", "c.png"]
    assert frame["probability_fracture"].tolist()[0] == 0.75
    assert pandas.isna(frame["confidence"][1])
    assert frame["rejection_reasons"].tolist()[0] == "too dark; blurry"
    assert frame["error"].tolist()[1] == "damaged"
    assert frame[frame["accepted"]]["source"].tolist() == ["c.png"]


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
