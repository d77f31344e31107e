from __future__ import annotations

import json

import numpy as np
import pytest
from drawn_slices import PerfectEngine, drawn_series, drawn_slice

from spinealign.cohort.masks.labeled import BODY
from spinealign.evaluation.measured_slice import MeasuredSlice, measure_slice
from spinealign.evaluation.named_series import NamedPicture, name_series
from spinealign.serialization import rebuild, to_plain


class OutlineEngine(PerfectEngine):
    """Engine whose refined corners are too far away to be used."""

    def refine(self, crops, neighbors):
        return super().refine(crops, neighbors) + 9


@pytest.fixture(scope="module")
def measured():
    item = drawn_slice()
    return measure_slice(OutlineEngine(item), item, fold=2)


def test_a_perfect_engine_agrees_with_the_reference(measured):
    assert measured.matches == (0, 1, 2, 3, 4, 5)
    assert min(*measured.dice, *measured.scores.values()) > 0.98
    assert measured.scores.keys() == {"body", "disc", "s1"}
    assert measured.false_bodies == 0
    assert measured.found.named == measured.l5 == 5
    assert measured.names == ("T12", "L1", "L2", "L3", "L4", "L5")
    assert measured.values.keys() == measured.reference_values.keys()
    for name in ("lordosis_l1_l5", "slip_l4_l5_mm", "disc_height_l1_l2_mm"):
        assert measured.values[name] == pytest.approx(measured.reference_values[name], abs=0.1)


def test_a_measured_slice_survives_its_file(measured):
    assert rebuild(MeasuredSlice, json.loads(json.dumps(to_plain(measured)))) == measured
    short = measured.without_corners
    assert (short.values, short.reference_values) == ({}, {})
    assert short.dice == measured.dice


def test_a_body_of_the_ignored_region_is_not_false():
    item = drawn_slice()
    item.ignored[:38] |= BODY
    item.bodies[item.bodies == 6] = 0
    item.structures[:38] &= ~np.uint8(BODY)
    everything = drawn_slice()
    assert measure_slice(PerfectEngine(everything), item).false_bodies == 0
    item.ignored[:] = 0
    assert measure_slice(PerfectEngine(everything), item).false_bodies == 1


def test_a_slice_without_found_bodies_is_measured_too():
    nothing = drawn_slice()
    nothing.structures[:] = 0
    found = measure_slice(PerfectEngine(nothing), drawn_slice())
    assert found.matches == (None,) * 6
    assert found.values == {}
    assert found.scores["body"] == 0
    assert len(found.reference_values) > 20


def test_a_missed_body_is_not_measured():
    item = drawn_slice()
    partly = drawn_slice()
    partly.structures[partly.bodies == 6] = 0
    found = measure_slice(PerfectEngine(partly), item)
    assert found.matches == (None, 0, 1, 2, 3, 4)
    assert found.dice[0] == 0
    assert "height_ratio_t12" in found.reference_values.keys() - found.values.keys()
    assert found.l5 == found.found.named == 4


def test_a_body_at_the_border_has_no_reference_values():
    item = drawn_slice(top=0)
    found = measure_slice(PerfectEngine(item), item)
    assert found.reference[0] == ()
    assert "height_ratio_t12" not in found.reference_values.keys() | found.values.keys()
    assert "height_ratio_l1" in found.values


def test_a_series_is_named_whole_and_cut():
    series = drawn_series()
    pictures = name_series(PerfectEngine(drawn_slice()), series, fold=1)
    assert [picture.cut for picture in pictures] == ["", "S1", "L5-S1", "L5", "L4-L5"]
    assert [picture.l5 for picture in pictures] == [5, 5, 5, 5, None]
    assert [picture.found.named for picture in pictures] == [5, None, None, None, None]
    assert all(picture.known and picture.fold == 1 for picture in pictures)
    assert rebuild(NamedPicture, json.loads(json.dumps(to_plain(pictures[0])))) == pictures[0]


def test_a_series_of_unlikely_height_is_tried_at_other_zooms():
    series = drawn_series(factor=2)
    zooms = {picture.zoom: picture for picture in name_series(PerfectEngine(drawn_slice(), zoomed=True), series)}
    assert set(zooms) == {1.0, 0.75, 0.5, 0.4}
    assert zooms[1.0].found.height == pytest.approx(48, abs=1)
    assert zooms[0.5].l5 == 5
