from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import pytest
from PIL import Image

from spinealign.alignment.measuring import measure_frontal
from spinealign.alignment.vertebra import spine
from spinealign.cli import main
from spinealign.demo import EXAMPLE, FOOTER, SIDE, TILTS_DEG, run_demo
from spinealign.phantoms.frontal_spine import draw_frontal_spine

SEED = 1_000_007


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What the command prints, and its picture."""
    picture, out = tmp_path_factory.mktemp("demo") / "new" / "demo.png", StringIO()
    with redirect_stdout(out):
        assert main(["demo", "--output", str(picture)]) == 0
    return out.getvalue(), picture


@pytest.fixture(scope="module")
def returned(tmp_path_factory):
    """The predictions and the alignments of the demo, and its picture."""
    picture = tmp_path_factory.mktemp("demo") / "demo.png"
    return *run_demo(picture, seed=SEED), picture


def tiles_of(picture):
    """Return the six tiles of the picture."""
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    lefts, tops = (16, 32 + SIDE, 48 + 2 * SIDE), (60, 60 + SIDE + 60 + 16)
    return [pixels[top : top + SIDE, left : left + SIDE] for top in tops for left in lefts]


@pytest.mark.slow
def test_the_command_prints_predictions_and_measures(printed):
    out, picture = printed
    rows = [line for line in out.splitlines() if line.startswith(("phantom", "drawing"))]
    assert [row.split("  ")[0] for row in rows] == ["phantom, intact", "phantom, fractured", "drawing, not CT"]
    assert " normal " in rows[0]
    assert " fracture " in rows[1]
    assert " no: " in rows[2]
    for name in ("cobb_main", "L1 to L5", str(picture), "not a medical device"):
        assert name in out
    assert list(picture.parent.iterdir()) == [picture]


@pytest.mark.slow
def test_the_drawn_curve_is_measured_within_its_interval(returned):
    _, (frontal, _), _ = returned
    assert (frontal.kind, frontal.accepted, frontal.model) == ("frontal_xray", True, "spinealign/xray")
    main_curve = frontal["cobb_main"]
    assert main_curve.low <= np.ptp(TILTS_DEG) <= main_curve.high
    assert abs(main_curve.value - np.ptp(TILTS_DEG)) < 3
    assert len(frontal.vertebrae) == 17


@pytest.mark.slow
def test_the_slice_of_a_lumbar_mr_is_named_and_measured(returned):
    _, (_, mr), _ = returned
    assert (mr.kind, mr.accepted, mr.model) == ("sagittal_mr", True, "spinealign/mri")
    assert [each.name for each in mr.vertebrae][-5:] == ["L1", "L2", "L3", "L4", "L5"]
    lordosis = mr["lordosis_l1_l5"]
    assert 20 < lordosis.value < 35
    assert lordosis.low < lordosis.value < lordosis.high
    assert mr.spacing_mm is None
    assert mr["slip_l4_l5_mm"].value is None


def test_the_example_is_attributed():
    words = (EXAMPLE.parent / "README.md").read_text()
    for text in (EXAMPLE.name, "SPIDER", "van der Graaf", "CC BY 4.0", "JPEG"):
        assert text in words
    assert "SPIDER (van der Graaf" in FOOTER
    assert "CC BY 4.0" in FOOTER


def test_the_caption_of_the_drawn_x_ray_is_its_true_curve():
    drawn = draw_frontal_spine(TILTS_DEG, seed=SEED + 2)
    assert measure_frontal(spine(drawn.corners)).measures[0].value == pytest.approx(np.ptp(TILTS_DEG), abs=0.01)


@pytest.mark.slow
def test_the_picture_has_a_slice_and_five_colored_tiles(returned):
    predictions, alignments, picture = returned
    assert (len(predictions), len(alignments)) == (3, 2)
    tiles = tiles_of(picture)
    assert {tile.shape for tile in tiles} == {(SIDE, SIDE, 3)}
    for number, tile in enumerate(tiles):
        colored = np.ptp(tile.astype(int), axis=-1).max() > 100
        assert colored == (number != 4), "heat and lines are colored, the slice is gray"
        assert not (tile.min(axis=(1, 2)) == 255).any(), "the image fills its tile"


@pytest.mark.slow
def test_the_picture_is_the_same_each_time(printed, returned):
    assert printed[1].read_bytes() == returned[2].read_bytes()
