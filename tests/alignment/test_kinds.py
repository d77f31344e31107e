"""Kind and orientation of images."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from spinealign.alignment.kinds import KINDS, TURNS, KindSettings, Turn, classify_kind, kind_gray, letterbox, vote
from spinealign.imaging.slice import Slice
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.phantoms.frontal_spine import draw_frontal_spine
from spinealign.phantoms.lateral_spine import draw_lateral_spine
from spinealign.phantoms.other_regions import OTHER_REGIONS
from spinealign.phantoms.scene import draw_scene
from spinealign.reading.slices import read_slice

SEED = 40_000_000  # of phantoms that the network has not seen
PICTURE = np.arange(12).reshape(3, 4)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_a_turn_is_undone_by_its_inverse(turn):
    assert np.array_equal(turn.inverse.apply(turn.apply(PICTURE)), PICTURE)
    assert turn.inverse.after(turn) == Turn()


def test_two_turns_are_the_same_as_one():
    for first in TURNS:
        for second in TURNS:
            both = second.apply(first.apply(PICTURE))
            assert np.array_equal(second.after(first).apply(PICTURE), both)


def test_a_turned_slice_keeps_its_spacing_along_its_axes():
    image = Slice(np.zeros((4, 6), np.uint8), spacing_mm=(2.0, 0.5))
    assert Turn(1).apply_to_slice(image).spacing_mm == (0.5, 2.0)
    assert Turn(2, mirrored=True).apply_to_slice(image).spacing_mm == (2.0, 0.5)


def test_turned_copies_vote_for_the_orientation_of_the_image():
    shown = Turn(3, mirrored=True)
    turns = np.full((8, 8), -5.0, np.float32)
    for row, copy in enumerate(TURNS):
        turns[row, TURNS.index(copy.after(shown))] = 5
    turns[2] = turns[2, ::-1]  # one copy is wrong
    kinds = np.tile(np.float32([-5, 5, -5, -5]), (8, 1))

    found = vote(kinds, turns, settings=KindSettings())
    assert found.kind == "sagittal_mr"
    assert found.turn == shown.inverse
    assert vote(kinds, turns * 0, settings=KindSettings()).turn is None, "an unclear orientation is not guessed"


def test_an_unclear_kind_is_another_kind():
    found = vote(np.zeros((8, 4), np.float32), np.zeros((8, 8), np.float32), settings=KindSettings(kind_limit=0.4))
    assert found.kind == "other"
    assert found.probability == pytest.approx(0.25)


def test_a_letterbox_shows_the_whole_image_with_square_pixels():
    image = Slice(np.tile(np.linspace(0, 255, 40, dtype=np.float32), (20, 1)), spacing_mm=(2.0, 1.0))
    gray = kind_gray(image)
    assert gray.shape == (20, 20)
    boxed = letterbox(np.full((10, 40), 9, np.uint8), 80)
    assert (boxed > 0).sum() == 20 * 80
    assert (boxed[30:50] == 9).all()


def test_drawn_images_have_their_kind():
    assert classify_kind(draw_phantom(SEED, size=128).slice).kind == "neck_ct"
    assert classify_kind(draw_frontal_spine([-20, 20], seed=SEED, height=256).slice).kind == "frontal_xray"
    assert classify_kind(draw_lateral_spine(seed=SEED, height=256).slice).kind == "other"


@pytest.mark.parametrize("region", ["knee", "head"])
def test_drawn_slices_of_other_regions_are_of_another_kind(region):
    found = [classify_kind(OTHER_REGIONS[region](seed)).kind for seed in range(3)]
    assert found == ["other"] * 3


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((64, 64)), np.full((1, 1), 7), np.random.default_rng(0).random((90, 120)), draw_scene(128)],
    ids=["black", "one pixel", "noise", "landscape"],
)
def test_an_image_without_anatomy_is_of_another_kind(pixels):
    found = classify_kind(Slice(pixels))
    assert (found.kind, found.turn) == ("other", None)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert tuple(found.probabilities) == KINDS


@pytest.mark.data
def test_real_slices_have_their_kind_and_orientation(data):
    film = read_slice(data / "scoliosis_xray" / "test" / "te_000.webp")
    for turn in TURNS[:4]:
        found = classify_kind(turn.apply_to_slice(film))
        assert (found.kind, found.turn) == ("frontal_xray", turn.inverse)
    for number, path in enumerate(sorted((data / "spider" / "sagittal").glob("1[0-3]*.jpg"))):
        turn = TURNS[number % len(TURNS)]
        found = classify_kind(turn.apply_to_slice(read_slice(path)))
        assert found.kind == "sagittal_mr", path.name
        assert found.turn in (turn.inverse, None), path.name


def test_the_network_runs_without_torch():
    code = (
        "import sys, numpy\nfrom spinealign.alignment.kinds import Slice, classify_kind\n"
        "classify_kind(Slice(numpy.zeros((64, 64))))\nprint({'torch', 'transformers', 'scipy'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "set()"
