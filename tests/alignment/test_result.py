"""Alignments as data, text and table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

import spinealign
from spinealign.alignment.measuring import not_measured

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "alignment.schema.json").read_text())
SHAPES = [[0], [-20, 20], [-15, 15, -15], [-10, 15, -15, 10], [-55, 55]]


def rejected(found):
    reasons = ("It is a side view.",)
    return replace(found, accepted=False, rejection_reasons=reasons, vertebrae=(), **not_measured(reasons)._asdict())


@pytest.mark.parametrize("nodes", SHAPES)
def test_json_follows_the_published_schema(align, nodes) -> None:
    found = align(nodes)

    for item in (found, rejected(found)):
        jsonschema.validate(json.loads(json.dumps(item.to_dict(), allow_nan=False)), SCHEMA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("measures", 0, "value"), None),
        (("accepted",), False),
        (("vertebrae", 0, "corners"), [[0, 0]]),
        (("findings", 0, "severity"), "awful"),
        (("more",), 1),
    ],
)
def test_the_schema_refuses_other_objects(align, path, value) -> None:
    content = json.loads(json.dumps(align([-20, 20]).to_dict()))
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, SCHEMA)


def test_corners_in_json_are_those_of_the_original_image(align) -> None:
    found = align([-20, 20])

    assert found.to_dict()["vertebrae"][4]["corners"] == found.vertebrae[4].corners.round(2).tolist()


def test_a_table_has_a_row_for_each_measure(align) -> None:
    table = align([-20, 20]).to_dataframe().set_index("name")

    assert table.loc["cobb_main", "value"] == pytest.approx(40, abs=0.01)
    assert table.loc["cobb_main", "levels"] == "1st visible, 17th visible"
    assert table.loc["cobb_upper", ["value", "low", "high"]].isna().all()


def test_text_names_angle_interval_and_severity(align) -> None:
    found = align([-21, 21])

    assert "cobb_main 42° (37 to 47)" in str(found)
    assert "severe scoliosis" in str(found)
    assert str(rejected(found)) == "film.png: not accepted: It is a side view."


def test_unknown_measures_are_a_key_error(align) -> None:
    with pytest.raises(KeyError, match="the measures are cobb_main"):
        align([0])["lordosis"]


def test_alignment_is_public(align) -> None:
    assert isinstance(align([0]), spinealign.Alignment)
