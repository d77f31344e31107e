"""Levels that follow from an anchor."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.alignment.levels import name_levels
from spinealign.alignment.vertebra import spine

SEVENTEEN = spine(np.zeros((17, 4, 2)))


def test_all_levels_follow_from_one() -> None:
    names = [each.name for each in name_levels(SEVENTEEN, {"T1": 1})]

    assert names == [*(f"T{number}" for number in range(1, 13)), *(f"L{number}" for number in range(1, 6))]
    assert [each.name for each in name_levels(SEVENTEEN, {"L5": 17, "T1": 1})] == names
    assert name_levels(SEVENTEEN, {})[4].name == "5th visible"


@pytest.mark.parametrize(
    ("anchor", "message"),
    [
        ({"T13": 1}, "no vertebra 'T13'"),
        ({"T1": 0}, "cannot be vertebra 0 of 17"),
        ({"T1": 18}, "cannot be vertebra 18 of 17"),
        ({"T1": 1, "L5": 16}, "T1=1, L5=16 contradict"),
        ({"T1": 9}, "above C1"),
        ({"T2": 1}, "below L5"),
    ],
)
def test_impossible_anchors_are_refused(anchor: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        name_levels(SEVENTEEN, anchor)
