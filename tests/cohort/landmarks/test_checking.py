"""Checks of the corners of vertebrae."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.alignment.cobb import aasce_angles
from spinealign.alignment.vertebra import spine
from spinealign.cohort.landmarks.checking import check_corners
from spinealign.phantoms.frontal_spine import draw_frontal_spine


@pytest.fixture
def corners() -> np.ndarray:
    return draw_frontal_spine([-20, 20], height=128).corners * 10


def test_a_good_label_passes_unchanged(corners: np.ndarray) -> None:
    checked = check_corners(corners)

    assert checked.reliable.all()
    assert (checked.repairs, checked.doubts, checked.faults, checked.remarks) == ((), (), (), ())
    np.testing.assert_array_equal(checked.corners, corners)


def test_vertebrae_and_corners_are_put_into_order(corners: np.ndarray) -> None:
    mixed = corners[[0, 2, 1, *range(3, 17)]]
    mixed[9] = mixed[9][[0, 1, 3, 2]]
    checked = check_corners(mixed)

    np.testing.assert_array_equal(checked.corners, corners)
    assert checked.repairs == ("vertebrae out of order", "corners out of order: 10")


def test_a_vertebra_marked_twice_is_left_out(corners: np.ndarray) -> None:
    twice = np.concatenate([corners, corners[-1:] + 3])
    checked = check_corners(twice)

    np.testing.assert_array_equal(checked.corners, corners)
    assert checked.repairs == ("marked twice: 18",)


@pytest.mark.parametrize(
    ("stretch", "doubt"),
    [((1, 1.8), "height differs from neighbors: 9"), ((1.6, 1), "width differs from neighbors: 9")],
)
def test_a_vertebra_unlike_its_neighbors_is_masked(
    corners: np.ndarray, stretch: tuple[float, float], doubt: str
) -> None:
    center = corners[8].mean(axis=0)
    corners[8] = center + (corners[8] - center) * stretch
    checked = check_corners(corners)

    assert doubt in checked.doubts
    assert not checked.reliable[8]
    assert checked.reliable[[*range(7), *range(10, 17)]].all()


def test_corners_without_an_outline_are_a_fault(corners: np.ndarray) -> None:
    corners[4, 3] = corners[4, :3].mean(axis=0)

    assert "vertebra 5" in check_corners(corners).faults[0]


def test_a_vertebra_much_too_high_is_a_fault(corners: np.ndarray) -> None:
    corners[4, 2:, 1] += 70

    assert "more than 2.2 times as high as neighbors: 5" in check_corners(corners).faults[0]


def test_given_angles_that_differ_are_noted(corners: np.ndarray) -> None:
    given = aasce_angles(spine(corners))

    assert check_corners(corners, given).remarks == ()
    assert check_corners(corners, (30.0, *given[1:])).remarks == ("given main angle differs by up to 10.0 degrees",)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_vertebrae_are_not_ordered(corners: np.ndarray, count: int) -> None:
    assert len(check_corners(corners[:count]).corners) == count
