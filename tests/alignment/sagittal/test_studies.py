"""Series of one study, whose networks are replaced by the masks of drawn slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_slices import PITCH, PerfectEngine, drawn_slice

from spinealign.alignment.sagittal import studies
from spinealign.alignment.sagittal.aligner import SagittalMeasurer
from spinealign.alignment.sagittal.naming import NOT_L5, Numbering, count_from_below
from spinealign.alignment.sagittal.studies import PlacedSpine, agree, common_numbering
from spinealign.checkpoint.sagittal_settings import SagittalSettings
from spinealign.imaging.slice import Slice
from spinealign.imaging.volume import Volume

GRAY = drawn_slice().gray * 200
UPRIGHT = {"orientation": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0), "spacing_mm": (1.0, 1.0), "modality": "MR"}
T1 = Slice(GRAY, position_mm=(3.0, -80.0, 100.0), origin="t1.dcm", **UPRIGHT)
CUT = replace(T1, pixels=GRAY[:190], position_mm=(-4.0, -78.0, 97.0), origin="t2.dcm")  # S1 is not in view
AFFINE = np.array([[4.0, 0, 0, -5], [0, 0, 1, -80], [0, -1, 0, 100], [0, 0, 0, 1]])
SCAN = Volume(np.stack([GRAY] * 3), AFFINE, unit="display", modality="MR", origin="scan.nii.gz")
LEVELS = ["T12", "L1", "L2", "L3", "L4", "L5"]


def measure(images):
    measurer = SagittalMeasurer(SagittalSettings(), PerfectEngine(drawn_slice()))
    return agree([(image, measurer.measure(image)) for image in images], measurer.measure)


def names(alignment):
    return [each.name for each in alignment.vertebrae]


def test_a_series_takes_levels_from_another_one():
    first, second = measure([T1, CUT])
    assert names(first) == LEVELS
    assert names(second) == LEVELS[: len(second.vertebrae)]
    assert second.notes.count(studies.TAKEN) == 1
    assert second.numbering == Numbering("S1", first.numbering.probability, second.numbering.names, True)
    assert second["segment_l2_l3"].value is not None
    assert second["lordosis_l1_s1"].reason == "S1 is not in view."


def test_series_that_disagree_lose_their_levels():
    above = (*T1.position_mm[:2], T1.position_mm[2] + PITCH)
    first, second, third = measure([T1, replace(T1, position_mm=above), CUT])
    for item in (first, second):
        assert names(item) == ["V6", "V5", "V4", "V3", "V2", "V1"]
        assert item.numbering.source == "bottom"
        assert item.numbering.reasons == (studies.DISAGREEMENT,)
        assert item.numbering.probability <= 0.5
        assert item["lordosis_l1_l5"].reason == "The levels are not certain."
        assert item["segment_v2_v1"].value is not None
        assert not any(finding.level in LEVELS for finding in item.findings)
    assert not third.numbering.certain, "nothing to take"


def test_volumes_and_slices_are_compared_in_patient_coordinates():
    volume, part = measure([SCAN, CUT])
    assert names(volume) == LEVELS
    assert studies.TAKEN in part.notes
    turned = replace(T1, pixels=GRAY[:190, ::-1], orientation=(0, -1, 0, 0, 0, -1), position_mm=(0.0, 79.0, 100.0))
    assert studies.TAKEN in measure([SCAN, turned])[1].notes


@pytest.mark.parametrize(
    "other",
    [
        replace(CUT, position_mm=None),
        replace(CUT, position_mm=(0.0, -80.0, 900.0)),
        replace(CUT, spacing_mm=None),
        replace(SCAN, array=SCAN.array[:, :190], placed=False),
    ],
    ids=["no position", "elsewhere", "no spacing", "assumed place"],
)
def test_series_at_unknown_places_are_not_compared(other):
    first, second = measure([T1, other])
    assert names(first) == LEVELS
    assert studies.TAKEN not in second.notes
    assert studies.NOT_COMPARED in first.notes
    assert studies.NOT_COMPARED in second.notes


def spine(numbering, *, count=5, bottom=0.0):
    return PlacedSpine(numbering, np.array([[0.0, bottom + 33 * place] for place in range(count - 1, -1, -1)]))


def test_the_smaller_probability_counts_and_doubts_stay():
    sure = Numbering("S1", 0.9, ("L1", "L2", "L3", "L4", "L5"), True)
    series = [
        spine(sure),
        spine(replace(sure, probability=0.8)),
        spine(count_from_below(5, probability=0.1, reasons=(NOT_L5,))),
        spine(count_from_below(5, probability=0.1, reasons=("S1 is not in view.",)), bottom=-33),
        spine(count_from_below(3, probability=0.1, reasons=("S1 is not in view.",)), count=3, bottom=66),
    ]
    found = [common_numbering(series, place) for place in range(len(series))]
    assert [numbering.probability for numbering, _ in found[:2]] == [0.8, 0.8]
    assert not found[2][0].certain, "it speaks against these levels"
    assert not found[3][0].certain, "its lowest body would be below L5"
    assert found[4][0].names == ("L1", "L2", "L3")
