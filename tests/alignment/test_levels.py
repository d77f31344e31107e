"""Levels that follow from an anchor."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.alignment.levels import check_anchor, name_levels
from spinealign.alignment.vertebra import spine
from spinealign.errors import ImageError

SEVENTEEN = spine(np.zeros((17, 4, 2)))


def test_all_levels_follow_from_one() -> None:
    names = [each.name for each in name_levels(SEVENTEEN, {"T1": 1})]

    assert names == [*(f"T{number}" for number in range(1, 13)), *(f"L{number}" for number in range(1, 6))]
    assert [each.name for each in name_levels(SEVENTEEN, {"L5": 17, "T1": 1})] == names
    assert name_levels(SEVENTEEN, {})[4].name == "5th visible"


@pytest.mark.parametrize(
    ("anchor", "message"),
    [
        ({"T13": 1}, "Unknown level 'T13'"),
        ({"T1": 0}, "T1 cannot be number 0"),
        ({"T1": 1, "L5": 16}, "T1=1, L5=16 contradict"),
    ],
)
def test_anchors_that_no_spine_can_have_are_refused(anchor: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_anchor(anchor)


@pytest.mark.parametrize(
    ("anchor", "message"),
    [({"L5": 18}, "Only 17 vertebrae are visible"), ({"C1": 2}, "above C1"), ({"T2": 1}, "below L5")],
)
def test_an_anchor_must_fit_the_visible_vertebrae(anchor: dict[str, int], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        name_levels(SEVENTEEN, anchor)
