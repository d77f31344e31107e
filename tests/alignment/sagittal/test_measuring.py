"""Measures of a sagittal spine, and reasons why they are missing."""

from __future__ import annotations

import pytest

from spinealign.alignment.sagittal.measuring import (
    NO_SPACING,
    ONE_SLICE,
    TRANSITIONAL,
    UNCERTAIN,
    measure_sagittal,
    sagittal_notes,
)
from spinealign.alignment.sagittal.naming import Numbering
from spinealign.metrics.conformal import IntervalRule

LUMBAR = ("L1", "L2", "L3", "L4", "L5")


def measured(*given, **options):
    return {item.name: item for item in measure_sagittal(*given, **options)}


def test_intervals_follow_the_kind_and_the_spread():
    values = {"slip_l4_l5_mm": -1.0, "slip_l3_l4_mm": 2.0, "lordosis_l1_l5": 40.0}
    rules = {
        "slip_mm": IntervalRule(0.9, base=2.0, slope=1.0, images=50),
        "slip_l3_l4_mm": IntervalRule(0.9, base=1.0, slope=0.0, images=50),
        "lordosis_l1_s1": IntervalRule(0.9, base=9.0, slope=0.0, images=50),
    }

    found = measured(values, LUMBAR, rules=rules, spreads={"slip_l4_l5_mm": 0.5})

    assert (found["slip_l4_l5_mm"].low, found["slip_l4_l5_mm"].high) == (-3.5, 1.5)
    assert (found["slip_l3_l4_mm"].low, found["slip_l3_l4_mm"].high) == (1.0, 3.0)
    assert found["lordosis_l1_l5"].low is None
    assert str(found["slip_l4_l5_mm"]) == "-1.0 mm (-3.5 to 1.5)"
    assert found["slip_l4_l5_mm"].levels == ("L4", "L5")


def test_what_is_missing_says_why():
    values = {"segment_l3_l4": 10.0, "height_ratio_l3": 1.0, "depth_l3_mm": 33.0}

    found = measured(values, LUMBAR[1:4], in_mm=False, reasons={"L5": "L5 is cut off by the border of the image."})

    assert found["segment_l3_l4"].value == 10.0
    assert found["depth_l3_mm"].reason == NO_SPACING
    assert found["segment_l4_l5"].reason == "L5 is cut off by the border of the image."
    assert found["segment_l1_l2"].reason == "L1 is not in view."
    assert found["slip_l5_s1_mm"].reason == "L5 is cut off by the border of the image."
    assert found["lordosis_l1_s1"].reason == "L1 is not in view."
    assert found["height_ratio_l2"].reason == "Its outline is not clear enough."
    assert all((item.value is None) == (item.reason is not None) for item in found.values())


def test_every_named_spine_has_the_same_lumbar_measures():
    few, many = (set(measured({}, names)) for names in (LUMBAR[3:], ("T11", "T12", *LUMBAR)))

    assert few < many
    assert {name for name in many - few if "t1" not in name} == set()


def test_without_levels_measures_are_named_by_position():
    found = measured({"segment_v2_v1": 5.0, "height_ratio_v1": 1.1}, ("V3", "V2", "V1"))

    assert found["segment_v2_v1"].value == 5.0
    assert found["lordosis_l1_l5"].reason == found["lordosis_l1_s1"].reason == UNCERTAIN
    of_levels = [item for name, item in found.items() if "l4" in name]
    assert of_levels
    assert {(item.value, item.reason) for item in of_levels} == {(None, UNCERTAIN)}


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("segment_l4_l5", "degree"),
        ("lordosis_l1_s1", "degree"),
        ("slip_l5_s1_percent", "percent"),
        ("disc_height_l4_l5_mm", "mm"),
        ("disc_height_index_l4_l5", "ratio"),
        ("height_ratio_l1", "ratio"),
        ("middle_ratio_l1", "ratio"),
        ("depth_l1_mm", "mm"),
    ],
)
def test_measures_have_units(name, unit):
    assert measured({}, LUMBAR)[name].unit == unit


def test_notes_state_the_limits():
    named = Numbering("S1", 0.9, LUMBAR, True)
    counted = Numbering("bottom", 0.0, ("V1",), False, ("S1 is not in view.",))

    assert sagittal_notes(named, slices=1, in_mm=True) == (TRANSITIONAL, ONE_SLICE)
    notes = sagittal_notes(counted, slices=3, in_mm=False)
    assert notes[0] == NO_SPACING
    assert notes[1].endswith("V1 is the lowest. S1 is not in view.")
    assert len(notes) == 2
