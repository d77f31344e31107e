"""Measurement of sagittal MR with an engine that knows the masks."""

from __future__ import annotations

from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from cli.test_measure_command import SCHEMA
from drawn_slices import HEIGHT, LEFT, PITCH, RIGHT, PerfectEngine, drawn_slice

from spinealign.alignment.kinds import TURNS
from spinealign.alignment.sagittal.aligner import SagittalMeasurer
from spinealign.alignment.sagittal.measuring import EXPERIMENTAL
from spinealign.checkpoint.sagittal_settings import SagittalSettings
from spinealign.cohort.masks.labeled import S1
from spinealign.errors import ImageError
from spinealign.imaging.slice import Slice
from spinealign.metrics.conformal import IntervalRule

UPRIGHT = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
GRAY = drawn_slice().gray * 200
MR = Slice(GRAY, spacing_mm=(1.0, 1.0), modality="MR", orientation=UPRIGHT, origin="scan.dcm")


def measurer(engine=None, **settings) -> SagittalMeasurer:
    rules = {"slip_mm": IntervalRule(0.9, 1.5, 1.0, 50), "lordosis_l1_l5": IntervalRule(0.9, 4.0, 1.0, 50)}
    return SagittalMeasurer(SagittalSettings(slice_intervals=rules, **settings), engine or PerfectEngine(drawn_slice()))


@pytest.fixture(scope="module")
def alignment():
    return measurer().measure(MR)


def test_a_slice_has_levels_outlines_and_measures(alignment):
    assert alignment.accepted
    assert [each.name for each in alignment.vertebrae] == ["T12", "L1", "L2", "L3", "L4", "L5"]
    assert (alignment.numbering.source, alignment.numbering.certain) == ("S1", True)
    np.testing.assert_allclose(
        alignment.vertebrae[-1].corners[[0, 3]], [[LEFT, 10 + 5 * PITCH], [RIGHT - 1, 9 + 5 * PITCH + HEIGHT]], atol=2.5
    )
    assert alignment["slip_l4_l5_mm"].low < alignment["slip_l4_l5_mm"].value < alignment["slip_l4_l5_mm"].high
    assert alignment["disc_height_l4_l5_mm"].value == pytest.approx(PITCH - HEIGHT, abs=1.0)
    assert [each.name for each in alignment.structures] == [
        "S1", "T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1",
    ]  # fmt: skip
    for points, each in zip(alignment.outlines, alignment.vertebrae):
        np.testing.assert_allclose(points.mean(axis=0), each.center, atol=2)


def test_the_json_follows_the_schema(alignment):
    rejected = measurer().measure(replace(MR, modality="CT"))
    uncertain = measurer().measure(replace(MR, pixels=GRAY[:190]))
    assert uncertain.numbering.source == "bottom"
    for item in (alignment, rejected, uncertain):
        jsonschema.validate(item.to_dict(), SCHEMA)


def test_the_table_has_one_row_for_each_level(alignment):
    rows = alignment.level_rows()
    assert [row["level"] for row in rows] == ["T12", "L1", "L2", "L3", "L4", "L5"]
    assert rows[4]["slip_mm"] == alignment["slip_l4_l5_mm"].value
    assert rows[4]["slip_mm_low"] == alignment["slip_l4_l5_mm"].low
    assert rows[5]["disc_height_mm"] == alignment["disc_height_l5_s1_mm"].value
    assert not any("lordosis" in column for row in rows for column in row)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_points_follow_the_orientation_of_the_header(alignment, turn):
    given = turn.apply_to_slice(MR)
    along, down = np.reshape(UPRIGHT, (2, 3))
    along = -along if turn.mirrored else along
    for _ in range(turn.quarters):
        along, down = down, -along
    turned = measurer().measure(replace(given, orientation=(*along, *down)))

    for one, other in zip(alignment.vertebrae, turned.vertebrae, strict=True):
        expected = turn.apply_to_points(one.corners, MR.shape)
        np.testing.assert_allclose(other.corners, expected, atol=1e-6)
    assert turned["slip_l4_l5_mm"].value == pytest.approx(alignment["slip_l4_l5_mm"].value)
    assert turned.gray.shape == given.shape


def test_without_spacing_there_are_no_values_in_mm():
    found = measurer().measure(replace(MR, spacing_mm=None))
    assert found["slip_l4_l5_mm"].value is None
    assert "No reliable spacing" in found["slip_l4_l5_mm"].reason
    assert found["slip_l4_l5_percent"].value is not None


def test_a_wrong_spacing_gives_names_but_no_values_in_mm(alignment):
    engine = PerfectEngine(drawn_slice(), zoomed=True)
    found = measurer(engine).measure(replace(MR, spacing_mm=(2.0, 2.0)))
    assert [each.name for each in found.vertebrae] == [each.name for each in alignment.vertebrae]
    assert found["slip_l4_l5_mm"].value is None
    assert any("does not fit the size of vertebrae" in note for note in found.notes)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"modality": "CT", "unit": "HU"}, "CT in Hounsfield units"),
        ({"modality": "DX"}, "wrong modality: DX"),
        ({"orientation": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)}, "wrong plane: axial"),
        ({"pixels": np.zeros((200, 160), np.float32)}, "low information"),
        ({"color": 60.0}, "colored"),
    ],
)
def test_images_of_other_kinds_are_not_measured(change, reason):
    found = measurer().measure(replace(MR, **change))
    assert not found.accepted
    assert any(reason in each for each in found.rejection_reasons)
    assert all(item.value is None and item.reason for item in found.measures)


def test_a_body_that_the_border_cuts_is_named_but_not_measured():
    item, first = drawn_slice(), 10 + HEIGHT // 3
    item.structures[:first] = 0
    cut = replace(item, structures=np.roll(item.structures, -first, axis=0))
    found = measurer(PerfectEngine(cut)).measure(MR)
    assert found.vertebrae[0].name == "T12"
    assert found["segment_l1_l2"].value is not None
    for name in ("height_ratio_t12", "segment_t12_l1"):
        assert found[name].reason == "T12 is cut off by the border of the image."


def test_a_doubtful_s1_is_not_measured():
    item = drawn_slice()
    rows, columns = np.nonzero(item.structures & S1)
    item.structures[rows.min() + 9 :] &= ~np.uint8(S1)
    item.structures[:, columns.min() + 18 :] &= ~np.uint8(S1)
    found = measurer(PerfectEngine(item)).measure(MR, lowest="L5")
    assert found["lordosis_l1_l5"].value is not None
    assert found["lordosis_l1_s1"].reason == found["slip_l5_s1_mm"].reason == "Too little of S1 is in view."


def test_an_image_without_header_must_look_like_mr():
    plain = replace(MR, modality=None, orientation=None)
    rejected = measurer().measure(plain)
    assert not rejected.accepted
    assert "if it is one, name its kind" in rejected.rejection_reasons[0]
    taken = measurer().measure(plain, check_kind=False)
    assert taken.accepted
    assert taken.notes[0].startswith("Measured because its kind was given, but it shows ")
    assert "taken as upright" in taken.notes[1]


def test_pixels_that_are_not_square_give_names_but_no_measures():
    item = drawn_slice()
    item.structures[:, LEFT + 14 :] = 0  # bodies of 14 x 24 pixels
    found = measurer(PerfectEngine(item, zoomed=True)).measure(replace(MR, spacing_mm=None), lowest="L5")
    assert (found.accepted, found.vertebrae[-1].name) == (True, "L5")
    assert {measure.value for measure in found.measures} == {None}
    assert "not seem to be square" in found["lordosis_l1_l5"].reason
    assert any("not seem to be square" in note for note in found.notes)
    assert {finding.present for finding in found.findings} == {None}


def test_a_wrong_spacing_without_levels_is_refused():
    item = drawn_slice()
    item.structures[item.structures == S1] = 0
    found = measurer(PerfectEngine(item, zoomed=True)).measure(replace(MR, spacing_mm=(2.0, 2.0)))
    assert not found.accepted
    assert "levels are not certain at other scales" in found.rejection_reasons[0]


def test_a_level_above_s1_other_than_l5_is_doubted():
    assert any("S1 seems to be below" in note for note in measurer().measure(MR, lowest="L4").notes)
    assert not any("S1 seems to be below" in note for note in measurer().measure(MR, lowest="L5").notes)


def test_measures_of_s1_are_marked_only_where_they_exist(alignment):
    assert EXPERIMENTAL in alignment.notes
    assert EXPERIMENTAL not in measurer().measure(MR, lowest="L4").notes


def test_every_lumbar_measure_has_a_value_or_a_reason(alignment):
    names = {item.name for item in alignment.measures if "t12" not in item.name}
    for found in (measurer().measure(replace(MR, pixels=GRAY[:190])), measurer().measure(replace(MR, modality="CT"))):
        assert names <= {item.name for item in found.measures}
        assert all((item.value is None) == bool(item.reason) for item in found.measures)


def test_few_or_doubtful_bodies_are_not_measured():
    item = drawn_slice()
    item.structures[item.bodies > 2] = 0
    few = measurer(PerfectEngine(item)).measure(MR)
    assert few.rejection_reasons == ("too few vertebral bodies: 2 in a chain (limit 3)",)
    doubtful = measurer(min_probability=1.1).measure(MR)
    assert "not recognized as a sagittal spine" in doubtful.rejection_reasons[0]


def test_levels_given_by_hand_name_all_bodies(alignment):
    center = tuple(alignment.vertebrae[2].center)
    by_point, by_lowest = measurer().measure(MR, anchor={"L1": center}), measurer().measure(MR, lowest="L3")
    assert [each.name for each in by_point.vertebrae] == ["T11", "T12", "L1", "L2", "L3", "L4"]
    assert [each.name for each in by_lowest.vertebrae] == ["T10", "T11", "T12", "L1", "L2", "L3"]
    assert by_lowest.numbering.source == "user"
    with pytest.raises(ImageError, match="below L5"):
        measurer().measure(MR, anchor={"L4": center})
    with pytest.raises(ValueError, match="given by a point"):
        measurer().check_levels(None, {"L4": 3})
