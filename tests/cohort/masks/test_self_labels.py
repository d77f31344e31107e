"""Labels of series with boxes of discs, from probabilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinealign.cohort.masks.boxed import BoxedSlice
from spinealign.cohort.masks.labeled import BODY, CANAL, DISC, L5, S1
from spinealign.cohort.masks.self_labels import label_boxed


@pytest.fixture
def series(drawing):
    """The drawn slice with the boxes of its discs, of which the lowest one is L5-S1."""
    gray = drawing[0].astype(np.float32) / 200
    discs = {number: (58.0, top - 9.0, 98.0, top - 1.0) for number, top in enumerate(range(200, 40, -40), start=1)}
    return BoxedSlice("7_t2", "spider/7", "spider", "T2", gray, discs)


@pytest.fixture
def probabilities(drawing):
    """Probabilities in which S1 is also a body."""
    maps = np.full((5, 256, 160), 0.02, np.float32)
    maps[0, drawing[1] > 0] = maps[0, 200:230, 60:96] = maps[1, 200:230, 60:96] = 0.9
    for top in range(200, 40, -40):
        maps[3, top - 8 : top - 2, 62:94] = 0.9
    return maps


def test_the_body_above_the_lowest_box_is_l5(series, probabilities, drawing):
    item = label_boxed(series, probabilities)

    assert np.array_equal(item.mask(L5), item.bodies == 1)
    assert (item.mask(L5) ^ (drawing[1] == 1)).sum() < 20
    assert item.bodies.max() == 4
    assert not item.exact


def test_a_body_below_the_lowest_box_is_negative(series, probabilities):
    item = label_boxed(series, probabilities)

    assert not (item.mask(BODY) | (item.ignored & BODY > 0))[200:230].any()
    assert item.mask(S1)[206:222, 68:88].mean() > 0.9


def test_a_plausible_s1_of_the_segmenter_is_kept(series, probabilities):
    probabilities[2, 199:229, 62:98] = 0.8

    item = label_boxed(series, probabilities)

    assert (item.mask(S1) ^ (probabilities[2] > 0.5)).sum() < 20


def test_discs_are_positive_in_boxes_and_ignored_around(series, probabilities):
    item = label_boxed(series, probabilities)

    assert item.mask(DISC)[192:198, 62:94].all()
    assert (item.ignored & DISC)[188:202, 56:60].all()
    assert not (item.ignored & DISC)[100:250, 120:].any()
    assert (item.ignored & CANAL).all()


def test_bodies_above_a_missing_one_are_ignored(series, probabilities):
    series = replace(series, discs={**series.discs, 5: (58.0, 71.0, 98.0, 79.0)})  # in the place of the fourth

    assert label_boxed(series, probabilities) is None  # three bodies are too few


def test_a_body_that_leaks_ends_the_labels(series, probabilities):
    probabilities[0, 56:66, 96:140] = 0.9

    assert label_boxed(series, probabilities) is None  # three bodies are too few


@pytest.mark.parametrize("change", [{"discs": {}}, {"certain": False}])
def test_series_without_certain_levels_have_no_labels(series, probabilities, change):
    assert label_boxed(replace(series, **change), probabilities) is None


def test_a_body_far_from_the_lowest_box_is_no_l5(series, probabilities):
    probabilities[:, 150:200] = 0.02

    assert label_boxed(series, probabilities) is None
