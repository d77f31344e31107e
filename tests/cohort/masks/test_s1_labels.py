"""Masks of S1 in drawn sagittal spines."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.alignment.sagittal.preparing import prepare_sagittal
from spinealign.cohort.masks.s1_labels import frame_below, grow_s1
from spinealign.phantoms.sagittal_spine import draw_sagittal_spine


def grown_and_true(seed, sequence, *, rows=None, rotation_deg=0.0):
    drawn = draw_sagittal_spine(sequence=sequence, seed=seed, rotation_deg=rotation_deg)
    gray = prepare_sagittal(drawn.slice).gray[:rows]
    masks = [mask[:rows] > 0.5 for mask in drawn.masks]
    bodies = masks[6::-1]
    frame = frame_below(bodies, np.zeros(gray.shape, bool))
    return grow_s1(gray, frame, blocked=np.logical_or.reduce(bodies), body=bodies[0]), masks[7], frame, drawn


@pytest.mark.parametrize("sequence", ["T1", "T2"])
@pytest.mark.parametrize("rotation_deg", [-15, 15])
def test_the_watershed_finds_s1(sequence, rotation_deg):
    grown, true, frame, drawn = grown_and_true(3, sequence, rotation_deg=rotation_deg)

    assert 2 * (grown & true).sum() / (grown.sum() + true.sum()) > 0.85
    assert frame.origin == pytest.approx(drawn.sacrum_endplate.mean(axis=0), abs=6)


def test_s1_below_the_picture_is_not_found():
    _, true, _, _ = grown_and_true(3, "T2")
    rows = int(np.flatnonzero(true.any(axis=1))[0]) + 8

    assert grown_and_true(3, "T2", rows=rows)[0] is None
