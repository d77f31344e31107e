"""Findings in drawn sagittal spines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinealign.alignment.sagittal.findings import sagittal_findings
from spinealign.alignment.sagittal.measuring import measure_sagittal
from spinealign.alignment.sagittal.values import sagittal_values
from spinealign.metrics.conformal import IntervalRule
from spinealign.phantoms.sagittal_spine import NAMES, SagittalAnatomy

USUAL = SagittalAnatomy()
RULES = {
    kind: IntervalRule(0.9, base=base, slope=0.0, images=50)
    for kind, base in {
        "slip_mm": 2.0, "slip_percent": 6.0, "height_ratio": 0.1, "height_posterior_mm": 1.5, "lordosis_l1_l5": 5.0
    }.items()
}  # fmt: skip


def changed(name, level, factor):
    values = getattr(USUAL, name).copy()
    values[NAMES.index(level)] *= factor
    return replace(USUAL, **{name: values})


def slipped(level, millimeters):
    slip = np.full(7, -1.7)
    slip[NAMES.index(level)] = millimeters
    return replace(USUAL, slip=slip)


def findings(anatomy, *, rules=RULES, in_mm=True, middles=None, names=NAMES):
    corners = anatomy.corners()
    middles = corners[:7].reshape(7, 2, 2, 2).mean(axis=2) if middles is None else middles
    values = sagittal_values(corners[:7], names, middles=middles, sacrum_endplate=corners[7, :2])
    found = sagittal_findings(values, measures=measure_sagittal(values, names, in_mm=in_mm, rules=rules))
    return {name: [item for item in found if item.name == name] for name in dict.fromkeys(each.name for each in found)}


def test_a_usual_spine_has_no_finding():
    for name, found in findings(slipped("L4", -1.7)).items():
        assert [item.present for item in found] == [False], name


@pytest.mark.parametrize(("slip", "grade"), [(5.0, "grade I"), (10.0, "grade II"), (18.0, "grade III")])
def test_an_anterolisthesis_has_its_level_and_grade(slip, grade):
    (found,) = findings(slipped("L4", slip))["listhesis"]

    assert (found.present, found.level, found.severity) == (True, "L4-L5", grade)
    assert found.type == "anterolisthesis of L4 on L5"
    assert found.value == pytest.approx(100 * slip / 33)
    assert found.low < found.value < found.high
    assert found.probability > 0.9
    assert found.summary.startswith(f"{grade} listhesis")


def test_a_posterior_lip_is_no_retrolisthesis():
    assert not findings(slipped("L3", -4.0))["listhesis"][0].present
    (found,) = findings(slipped("L3", -6.0))["listhesis"]
    assert found.type == "retrolisthesis of L3 on L4"
    assert found.near_border


def test_slips_are_judged_in_percent_without_spacing():
    (found,) = findings(slipped("L4", 5.0), in_mm=False)["listhesis"]

    assert (found.present, found.level) == (True, "L4-L5")


@pytest.mark.parametrize("in_mm", [True, False])
def test_a_slip_on_s1_must_be_larger_and_is_experimental(in_mm):
    assert not findings(slipped("L5", 5.0), in_mm=in_mm)["listhesis"][0].present
    (found,) = findings(slipped("L5", 9.0), in_mm=in_mm)["listhesis"]

    assert (found.present, found.level) == (True, "L5-S1")
    assert found.type == "anterolisthesis of L5 on S1, experimental"


def test_the_greatest_of_several_slips_is_first():
    anatomy = slipped("L3", 4.0)
    anatomy.slip[NAMES.index("L4")] = 7.0

    assert [item.level for item in findings(anatomy)["listhesis"]] == ["L4-L5", "L3-L4"]


@pytest.mark.parametrize(
    ("name", "factor", "kind", "severity"),
    [
        ("anterior", 0.9, None, "none"),  # a healthy L1 is wedged
        ("anterior", 0.7, "wedge of L1", "moderate"),
        ("anterior", 0.55, "wedge of L1", "severe"),
    ],
)
def test_wedges_are_judged_by_the_norm_of_the_level(name, factor, kind, severity):
    (found,) = findings(changed(name, "L1", factor))["vertebral_deformity"]

    assert (found.present, found.type, found.severity) == (kind is not None, kind, severity)


def test_a_crushed_body_is_judged_by_the_others():
    anatomy = changed("posterior", "L2", 0.72)
    anatomy = replace(anatomy, anterior=anatomy.anterior * [1, 1, 1, 0.72, 1, 1, 1])

    (found,) = findings(anatomy)["vertebral_deformity"]

    assert (found.type, found.severity, found.measure) == ("crush of L2", "moderate", "height_posterior_l2_mm")
    small = replace(USUAL, posterior=USUAL.posterior * 0.72, anterior=USUAL.anterior * 0.72)
    assert not findings(small)["vertebral_deformity"][0].present


def test_a_biconcave_body_is_found_by_its_middle():
    corners = USUAL.corners()[:7]
    middles = corners.reshape(7, 2, 2, 2).mean(axis=2)
    middles[4] = middles[4].mean(axis=0) + 0.62 * (middles[4] - middles[4].mean(axis=0))

    (found,) = findings(USUAL, middles=middles)["vertebral_deformity"]

    assert (found.type, found.severity) == ("biconcave of L3", "moderate")


@pytest.mark.parametrize(("factor", "place"), [(0.1, "below"), (1.8, "above")])
def test_lordosis_is_compared_with_the_cohort(factor, place):
    (found,) = findings(replace(USUAL, disc_angle=USUAL.disc_angle * factor))["unusual_lordosis"]

    assert found.present
    assert found.type.startswith(place)
    assert "supine MRI" in found.type
    assert found.summary.startswith("unusual lordosis")


def test_without_levels_only_slips_are_judged():
    found = findings(slipped("L4", 6.0), names=tuple(f"V{number}" for number in range(7, 0, -1)))

    assert (found["listhesis"][0].present, found["listhesis"][0].level) == (True, "V2-V1")
    assert found["vertebral_deformity"][0].present is None
    assert found["unusual_lordosis"][0].present is None


def test_without_intervals_there_are_no_probabilities():
    for found in findings(USUAL, rules={}).values():
        assert [(item.probability, item.low, item.near_border) for item in found] == [(None, None, False)]
