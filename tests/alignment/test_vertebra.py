"""Order of vertebrae and of their corners."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.alignment.vertebra import Vertebra, order_spine, spine
from spinealign.errors import ImageError
from spinealign.phantoms.frontal_spine import draw_frontal_spine


@pytest.mark.parametrize("nodes", [[0], [-20, 20], [-15, 15, -15], [-55, 55]])
def test_shuffled_vertebrae_and_corners_are_restored(nodes: list[float]) -> None:
    corners = draw_frontal_spine(nodes, height=128).corners
    rng = np.random.default_rng(3)
    shuffled = np.stack([vertebra[rng.permutation(4)] for vertebra in corners[rng.permutation(17)]])

    assert np.array_equal(order_spine(shuffled), corners)


def test_a_corner_inside_the_others_is_refused() -> None:
    corners = draw_frontal_spine([0], height=128).corners.copy()
    corners[4, 3] = corners[4, :3].mean(axis=0)

    with pytest.raises(ImageError, match="vertebra 5 do not form a convex quadrilateral"):
        order_spine(corners)


def test_corners_of_another_shape_are_refused() -> None:
    with pytest.raises(ImageError, match=r"got shape \(17, 8\)"):
        order_spine(np.zeros((17, 8)))


def test_vertebrae_without_level_are_counted_from_the_top() -> None:
    assert [each.name for each in spine(np.zeros((22, 4, 2)))][:3] == ["1st visible", "2nd visible", "3rd visible"]
    assert spine(np.zeros((22, 4, 2)))[11].name == "12th visible"


def test_tilt_and_endplates_follow_the_corners() -> None:
    vertebra = Vertebra(np.array([[0, 0], [10, 10], [0, 20], [10, 30]], dtype=float), 1)

    assert vertebra.tilt_deg == pytest.approx(45)
    assert vertebra.endplates[1].tolist() == [[0, 20], [10, 30]]
    assert vertebra.scaled((0.5, 1.0)).tilt_deg == pytest.approx(26.565, abs=1e-3)
