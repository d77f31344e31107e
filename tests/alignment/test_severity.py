"""Severity classes."""

import pytest

from spinealign.alignment.severity import classify_severity, is_near_border


@pytest.mark.parametrize(
    ("angle", "expected"),
    [(0, "none"), (9.99, "none"), (10, "mild"), (24.9, "mild"), (25, "moderate"), (39.9, "moderate"), (40, "severe")],
)
def test_a_border_belongs_to_the_class_above(angle: float, expected: str) -> None:
    assert classify_severity(angle) == expected


def test_an_interval_across_a_border_is_near_it() -> None:
    assert is_near_border(23, 27)
    assert not is_near_border(26, 38)
