"""Pictures of alignments in sagittal MR."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_slices import PerfectEngine, drawn_slice
from PIL import Image

from spinealign.alignment.kinds import TURNS
from spinealign.alignment.result import Alignment, Finding
from spinealign.alignment.sagittal.aligner import SagittalMeasurer
from spinealign.checkpoint.sagittal_settings import SagittalSettings
from spinealign.imaging.slice import Slice
from spinealign.reporting.alignment_overlay import draw_overlay
from spinealign.reporting.alignment_text import format_alignments
from spinealign.reporting.canvas import GROUND, OUTLINE, PADDING, label_height
from spinealign.reporting.sagittal_overlay import BODY, DISC, DISC_LINES, FLAG, LORDOSIS

COLORS = {"body": BODY, "disc": DISC, "flag": FLAG, "lordosis": LORDOSIS, "sacrum": OUTLINE}


@pytest.fixture(scope="module")
def alignment() -> Alignment:
    image = Slice(drawn_slice().gray * 60, spacing_mm=(1.0, 1.0), orientation=(0, 1, 0, 0, 0, -1), origin="scan.dcm")
    return SagittalMeasurer(SagittalSettings(), PerfectEngine(drawn_slice())).measure(image)


def drawn_in(picture: Image.Image) -> set[str]:
    pixels = np.asarray(picture).astype(int)
    for edge in (pixels[:6], pixels[-6:], pixels[:, :6], pixels[:, -6:]):
        assert (np.abs(edge - GROUND) <= 2).all(), "nothing leaves the picture"
    shares = {name: (np.abs(pixels - color).max(axis=-1) < 12).sum() for name, color in COLORS.items()}
    return {name for name, count in shares.items() if count > 80}


def test_the_spine_is_drawn_with_what_is_flagged(alignment):
    assert drawn_in(draw_overlay(alignment)) == {"body", "disc", "lordosis", "sacrum"}
    slip = Finding("listhesis", True, "anterolisthesis of L4 on L5", "L4-L5", "grade I", value=12.0, low=4.0, high=20.0)
    assert drawn_in(draw_overlay(replace(alignment, findings=(slip,)))) == set(COLORS)


def test_a_turned_image_is_drawn_upright(alignment):
    turn = TURNS[5]
    turned = replace(
        alignment,
        turn=turn.inverse,
        gray=turn.apply(alignment.gray),
        vertebrae=tuple(
            replace(each, corners=turn.apply_to_points(each.corners, alignment.gray.shape))
            for each in alignment.vertebrae
        ),
        outlines=tuple(turn.apply_to_points(each, alignment.gray.shape) for each in alignment.outlines),
        structures=(),
    )
    one, other = (np.asarray(draw_overlay(replace(item, structures=()))) for item in (alignment, turned))
    np.testing.assert_array_equal(one, other)


def test_the_table_has_a_line_for_each_pair(alignment):
    lines = format_alignments([alignment, replace(alignment, accepted=False, rejection_reasons=("colored",))])
    head, lordosis, *rest = lines.splitlines()
    assert head.split()[:3] == ["file", "levels", "lordosis"]
    assert "L1 to L5" in lordosis
    assert any(line.split()[0] == "L4-L5" and " mm" in line for line in rest)
    assert any("not accepted: colored" in line for line in rest)
    assert "transitional" in lines


def test_labels_beside_a_wide_image_leave_the_heading_free(alignment):
    wide = np.pad(alignment.gray, ((0, 0), (0, 3 * alignment.gray.shape[1])))
    pixels = np.asarray(draw_overlay(replace(alignment, gray=wide))).astype(int)
    colored = np.flatnonzero((np.abs(pixels - DISC).max(axis=-1) < 12).any(axis=1))
    heading = 2 * PADDING + 2 * 28
    assert colored[0] >= heading
    assert len(pixels) > heading + 6 * label_height(DISC_LINES)
