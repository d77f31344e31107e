"""Measures and findings of drawn spines."""

from __future__ import annotations

import pytest

from spinealign.alignment.measuring import measure_frontal, not_measured
from spinealign.alignment.vertebra import spine
from spinealign.phantoms.frontal_spine import draw_frontal_spine


def test_measures_have_values_levels_and_intervals(align) -> None:
    found = align([-10, 15, -15, 10])

    assert [item.name for item in found.measures] == [
        "cobb_main", "cobb_upper", "cobb_lower", "aasce_1", "aasce_2", "aasce_3",
    ]  # fmt: skip
    main = found["cobb_main"]
    assert (main.value, main.low, main.high) == pytest.approx((30, 25, 35), abs=0.01)
    assert main.levels == ("6th visible", "12th visible")
    assert found["cobb_upper"].low == pytest.approx(21, abs=0.01), "without a disagreement"
    assert found["aasce_1"].low is None, "without a rule"
    assert [(curve.measure, curve.side) for curve in found.curves] == [
        ("cobb_main", "left"), ("cobb_upper", "right"), ("cobb_lower", "right"),
    ]  # fmt: skip


def test_a_missing_curve_has_a_reason_instead_of_a_value(align) -> None:
    found = align([-20, 20])

    assert found["cobb_upper"].value is None
    assert found["cobb_upper"].reason == "No vertebra above the main curve bends to the other side."
    assert [curve.measure for curve in found.curves] == ["cobb_main"]


@pytest.mark.parametrize(
    ("nodes", "present", "severity", "near", "kind"),
    [
        ([0], False, "none", False, None),
        ([-4, 4], False, "none", True, None),
        ([-9, 9], True, "mild", False, "single curve, convex to the right of the image"),
        ([-17, 15, -12], True, "moderate", False, "double curve, main curve convex to the right of the image"),
        ([18, -18], True, "moderate", True, "single curve, convex to the left of the image"),
        ([-10, 15, -15, 10], True, "moderate", False, "triple curve, main curve convex to the left of the image"),
        ([-55, 55], True, "severe", False, "single curve, convex to the right of the image"),
    ],
)
def test_scoliosis_follows_from_the_curves(align, nodes, present, severity, near, kind) -> None:
    (finding,) = align(nodes).findings

    assert (finding.present, finding.severity, finding.near_border, finding.type) == (present, severity, near, kind)


def test_pixels_that_are_not_square_are_measured_in_mm() -> None:
    squeezed = spine(draw_frontal_spine([-20, 20], height=128).corners * [1, 0.5])

    assert measure_frontal(squeezed, spacing_mm=(2.0, 1.0)).measures[0].value == pytest.approx(40, abs=0.01)


def test_nothing_is_measured_in_a_rejected_image() -> None:
    measured = not_measured(["It is a side view."])

    assert all(item.value is None and "It is a side view." in item.reason for item in measured.measures)
    assert measured.findings[0].present is None
