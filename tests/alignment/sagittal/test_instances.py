"""Bodies and S1 from probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from spinealign.alignment.sagittal.instances import above_sacrum, find_bodies, find_sacrum


def overlap(bodies, drawn):
    """Return the Dice of each found body with the drawn one at the same place."""
    masks = drawn.masks[: len(bodies)] > 0.5
    return [2 * (body.mask & mask).sum() / (body.area + mask.sum()) for body, mask in zip(bodies, masks, strict=True)]


def test_bodies_are_found_from_the_top(drawn, probabilities):
    bodies = find_bodies(probabilities)

    assert len(bodies) == 7
    assert min(overlap(bodies, drawn)) > 0.97
    assert [round(body.l5) for body in bodies] == [0, 0, 0, 0, 0, 0, 1]
    assert min(body.probability for body in bodies) > 0.95
    assert not any(body.touches_border for body in bodies)


def test_islands_beside_the_spine_are_left_out(drawn, probabilities):
    y, x = np.mgrid[:280, :280]
    for center in ((40, 60), (45, 150), (70, 230), (250, 120)):
        probabilities[0][np.hypot(x - center[0], y - center[1]) < 13] = 1

    assert min(overlap(find_bodies(probabilities), drawn)) > 0.97


def test_merged_bodies_are_separated(drawn, probabilities):
    centers = drawn.corners.mean(axis=1)
    for share in np.linspace(0, 1, 60):
        x, y = np.rint(centers[3] * share + centers[5] * (1 - share)).astype(int)
        probabilities[0, y - 4 : y + 5, x - 5 : x + 6] = 1

    assert min(overlap(find_bodies(probabilities), drawn)) > 0.9


@pytest.mark.parametrize("scale", [0.6, 1.6])
def test_small_and_large_spines_are_found(probabilities, scale):
    size = round(280 * scale)
    scaled = np.stack([np.asarray(Image.fromarray(each).resize((size, size))) for each in probabilities])

    bodies = find_bodies(scaled)

    assert len(bodies) == 7
    assert find_sacrum(scaled, bodies) is not None


def test_a_cut_body_touches_the_border(drawn, probabilities):
    row = int(drawn.corners[0].mean(axis=0)[1])

    bodies = find_bodies(probabilities[:, row:])

    assert [body.touches_border for body in bodies] == [True, *[False] * 6]


def test_s1_is_found_below_the_lowest_body(drawn, probabilities):
    bodies = find_bodies(probabilities)
    probabilities[2, 20:70, 20:90] = 1  # far away, and larger

    sacrum = find_sacrum(probabilities, bodies)

    assert sacrum is not None
    assert 2 * (sacrum.mask & (drawn.masks[7] > 0.5)).sum() / (sacrum.area + (drawn.masks[7] > 0.5).sum()) > 0.97


def test_a_body_below_s1_is_dropped(drawn, probabilities):
    probabilities[0] = np.maximum(probabilities[0], probabilities[2])  # S1 taken for a body too
    probabilities[2] = drawn.masks[7]
    x, y = np.rint(drawn.masks[7:].reshape(280, 280).nonzero()[1].mean()), drawn.sacrum_endplate[:, 1].max()
    probabilities[0, int(y) + 30 : int(y) + 50, int(x) : int(x) + 25] = 1
    bodies = find_bodies(probabilities)
    sacrum = find_sacrum(probabilities, bodies)

    kept = above_sacrum(bodies, sacrum)

    assert len(bodies) > 7
    assert len(kept) == 7


def test_nothing_is_found_in_an_empty_image():
    empty = np.zeros((5, 64, 64), np.float32)

    assert find_bodies(empty) == ()
    assert find_sacrum(empty, ()) is None
    assert above_sacrum((), None) == ()
