"""Location and refinement, with networks that see a drawn spine exactly."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.alignment.sagittal.locating import locate_sagittal
from spinealign.alignment.sagittal.preparing import prepare_sagittal
from spinealign.imaging.frames import chain_frames


class ExactEngine:
    """Networks whose maps are the drawn shares, and whose corners are those of a function of the round."""

    def __init__(self, probabilities, refined):
        self.probabilities, self.refined, self.rounds = probabilities, refined, 0

    def segment(self, pixel_values):
        height, width = pixel_values.shape[2:]
        assert height % 32 == width % 32 == 0
        shares = np.clip(self.probabilities, 1e-4, 1 - 1e-4)
        padding = [(0, 0), (0, height - shares.shape[1]), (0, width - shares.shape[2])]
        return np.pad(np.log(shares / (1 - shares)), padding, constant_values=-9.0)[None]

    def refine(self, crops, neighbors):
        assert crops.shape[1:] == (1, 80, 96)
        assert neighbors.shape == (len(crops), 8)
        self.rounds += 1
        return self.refined(self.rounds, len(crops))


def box(count):
    """Return corners of a usual body in units of its width."""
    return np.tile([[-0.5, -0.4], [0.5, -0.4], [-0.5, 0.4], [0.5, 0.4]], (count, 1, 1)).astype(np.float32)


def test_corners_and_s1_are_located(drawn, probabilities):
    location = locate_sagittal(
        ExactEngine(probabilities, lambda number, count: box(count)), prepare_sagittal(drawn.slice).gray
    )

    assert np.abs(location.first_corners - drawn.corners).max() < 0.4
    assert np.abs(location.sacrum_endplate - drawn.sacrum_endplate).max() < 0.4
    assert location.probabilities.shape == (5, *drawn.slice.shape)
    frames = chain_frames(location.first_corners)
    assert location.corners == pytest.approx(frames.to_pixels(box(7)), abs=1.5)  # refined twice
    assert location.middles.shape == (7, 2, 2)


def test_a_body_whose_corners_run_away_keeps_the_first(drawn, probabilities):
    def refined(number, count):
        corners = box(count)
        corners[2] += 0.5  # too far
        corners[4] = corners[4, [1, 0, 2, 3]]  # crossed
        return corners

    location = locate_sagittal(ExactEngine(probabilities, refined), prepare_sagittal(drawn.slice).gray)

    kept = [bool((location.corners[place] == location.first_corners[place]).all()) for place in range(7)]
    assert kept == [False, False, True, False, True, False, False]


def test_an_empty_slice_has_no_bodies(drawn, probabilities):
    location = locate_sagittal(ExactEngine(0 * probabilities, None), prepare_sagittal(drawn.slice).gray)

    assert location.bodies == ()
    assert location.corners.shape == (0, 4, 2)
    assert location.sacrum_endplate is None
