from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from drawn_slices import found_spine, measured_slice, named_picture

from spinealign.evaluation.compared_values import (
    agreement,
    interval_rules,
    is_lumbar,
    label_noise,
    of_middle_slices,
    of_volumes,
)
from spinealign.evaluation.slices import ALL, MID_SLICE, WITHIN_REACH, evaluate_slices, probability_limit
from spinealign.metrics.value_agreement import SagittalEvaluation
from spinealign.serialization import rebuild, to_plain

PATIENTS, NUMBERS = 12, (5, 7, 9, 11, 13)
L5 = 4  # place of five bodies


@pytest.fixture(scope="module")
def slices():
    rng = np.random.default_rng(0)
    keys = [(patient, number) for patient in range(PATIENTS) for number in NUMBERS]
    return [measured_slice(*key, error=float(rng.normal(1, 2))) for key in keys]


def test_values_of_the_middle_slice_are_compared(slices):
    values = [value for value in of_middle_slices(slices, "lumbar_mri") if value.name == "lordosis_l1_l5"]
    assert len(values) == PATIENTS
    middle = [item for item in slices if item.number == 9]
    assert values[3].reference == pytest.approx(30 + 3 + 0.9, abs=0.01)
    assert values[3].measured == middle[3].values["lordosis_l1_l5"]
    found = agreement(values, "lordosis_l1_l5", part="here")
    errors = np.array([value.measured - value.reference for value in values])
    assert found.scores["bias"].value == pytest.approx(errors.mean())
    assert found.scores["mean_error"].value == pytest.approx(np.abs(errors).mean())
    assert found.scores["correlation"].value == pytest.approx(
        np.corrcoef([value.measured for value in values], [value.reference for value in values])[0, 1]
    )
    assert found.scores["level_error"].value == pytest.approx(np.mean(np.abs(np.arange(PATIENTS) - 5.5)), abs=0.01)


def test_values_of_a_volume_are_medians_within_3_mm(slices):
    value = next(value for value in of_volumes(slices) if value.name == "lordosis_l1_l5")
    near = [item.values["lordosis_l1_l5"] for item in slices[:5] if item.number in (7, 9, 11)]
    assert value.measured == np.median(near)
    assert value.spread == pytest.approx(np.std(near))


def test_only_lumbar_measures_are_compared(slices):
    assert is_lumbar("slip_l4_l5_mm")
    assert is_lumbar("lordosis_l1_s1")
    assert not is_lumbar("segment_t12_l1")
    assert {value.name for value in of_volumes(slices)} >= {"segment_l4_l5", "height_ratio_l5", "slip_l1_l2_percent"}


def test_values_in_mm_need_a_reliable_spacing(slices):
    unsure = [replace(item, in_mm=False) for item in slices]
    names = {value.name for value in of_middle_slices(unsure, "lumbar_mri")}
    assert "segment_l4_l5" in names
    assert not any(name.endswith("_mm") for name in names)


def test_intervals_are_checked_with_rules_of_other_folds(slices):
    values = of_volumes(slices)
    rules = interval_rules(values)
    assert rules["segment"].images == 4 * PATIENTS
    found = agreement(values, "segment", part="here")
    assert 0.75 < found.scores["coverage"].value <= 1
    assert found.scores["interval_width"].value > 0


def test_label_noise_ignores_copied_masks(slices):
    assert label_noise(slices, "lordosis_l1_l5").estimate.value == pytest.approx(0.2, abs=0.01)
    copied = [replace(item, reference=slices[0].reference) for item in slices]
    assert label_noise(copied, "lordosis_l1_l5") is None


def test_shares_of_named_series_by_sequence_and_cut():
    wrong, unsure = found_spine(l5=2), found_spine(sacrum=False)
    pictures = [
        *(named_picture(number) for number in range(8)),
        named_picture(8, l5=3),
        named_picture(9, found=unsure),
        named_picture(10, sequence="T2"),
        named_picture(11, known=False, found=wrong),
        named_picture(0, cut="L4-L5", l5=None),
        named_picture(1, cut="L4-L5", l5=None, found=unsure),
        named_picture(1, cut="S1"),
    ]
    evaluation = evaluate_slices([], pictures=pictures)

    def value(name, part):
        return evaluation.figure(name, part).estimate.value

    assert value("l5_certain", "T1") == 0.9
    assert value("l5_right_if_certain", "T1") == pytest.approx(8 / 9)
    assert value("l5_right_if_certain", "T2") == 1
    assert value("l5_certain", "also without boxes") == pytest.approx(10 / 12)
    assert value("falsely_named", "L4-L5") == 0.5
    assert value("falsely_named", "S1") == 0
    assert evaluation.figure("falsely_named", "all").patients == 2


def test_the_first_zoom_with_a_likely_height_counts():
    large = replace(found_spine(sacrum=False), height=50.0)
    pictures = [
        named_picture(0, found=large),
        named_picture(0, zoom=0.75, found=replace(large, height=37.5)),
        named_picture(0, zoom=0.5),
    ]
    assert evaluate_slices([], pictures=pictures).figure("l5_certain", "all").estimate.value == 1
    assert evaluate_slices([], pictures=pictures[:2]).figure("l5_certain", "all").estimate.value == 0


def test_lost_and_false_bodies_are_counted_over_patients(slices):
    lost = replace(slices[0], dice=(0.0, 0.95, 0.95, 0.95, 0.95), false_bodies=1)
    evaluation = evaluate_slices([lost, *slices[1:]], transfers={"vb3 to vb2": slices})
    bodies = 5 * len(slices)
    assert evaluation.figure("bodies_found", "lumbar_mri").estimate.value == 1 - 1 / bodies
    assert evaluation.figure("false_bodies", "lumbar_mri").estimate.value == 1 / bodies
    worst = evaluation.figure("dice_of_worst_patient", "lumbar_mri").estimate.value
    assert worst == pytest.approx(0.95 * 24 / 25)
    assert evaluation.figure("dice_per_body", "vb3 to vb2").estimate.value == pytest.approx(0.95)


def test_structures_that_a_source_has_no_labels_of_are_left_out_of_its_transfer(slices):
    blind = [replace(item, scores={"body": 0.9, "disc": 0.0}) for item in slices]
    evaluation = evaluate_slices(blind, transfers={"vb3 to t2_space": blind})
    assert evaluation.figure("dice_disc", "lumbar_mri").estimate.value == 0
    assert evaluation.figure("dice_disc", "vb3 to t2_space") is None
    assert evaluation.figure("dice_body", "vb3 to t2_space").estimate.value == pytest.approx(0.9)


def test_an_evaluation_survives_its_file(slices):
    evaluation = evaluate_slices(slices, pictures=[named_picture(number) for number in range(5)])
    assert rebuild(SagittalEvaluation, json.loads(json.dumps(to_plain(evaluation)))) == evaluation
    assert evaluation.measure("segment", f"lumbar_mri, {MID_SLICE}").patients == PATIENTS
    assert evaluation.measure("segment", f"lumbar_mri, {WITHIN_REACH}")


def test_few_or_doubtful_bodies_are_rejected():
    doubtful = replace(found_spine(), bodies=tuple((*row[:3], 0.6, *row[4:]) for row in found_spine().bodies))
    pictures = [named_picture(number) for number in range(200)]
    pictures[0] = named_picture(0, found=doubtful)
    pictures[1] = named_picture(1, found=found_spine(bodies=2))
    assert 0.6 < probability_limit([], pictures) <= 0.95
    rejected = evaluate_slices([], pictures=pictures).figure("rejected", ALL)
    assert rejected.estimate.value == pytest.approx(2 / 200)
