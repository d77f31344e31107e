from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from drawn_slices import measured_slice, named_picture

from spinealign.checkpoint.sagittal_record import SagittalRecord, SliceCollectionRecord, SliceTrainingRecord
from spinealign.checkpoint.sagittal_settings import SagittalSettings
from spinealign.evaluation.compared_values import interval_rules, of_volumes
from spinealign.evaluation.slices import evaluate_slices
from spinealign.reporting.model_card import render_card
from spinealign.reporting.slice_tables import format_slices


@pytest.fixture(scope="module")
def slices():
    rng = np.random.default_rng(0)
    return [measured_slice(patient, 9, error=float(rng.normal())) for patient in range(20)]


@pytest.fixture(scope="module")
def record(slices):
    evaluation = evaluate_slices(slices, pictures=[named_picture(number) for number in range(5)])
    return SagittalRecord(
        (evaluation,),
        name="mri",
        collections=(SliceCollectionRecord("lumbar_mri", 20, 0, 20), SliceCollectionRecord("a|b", 0, 3, 2)),
        training=SliceTrainingRecord(parameters=1234, slices=20, series=3, folds=3, command="spinealign train"),
        notes="## Owner's notes",
    )


def test_tables_state_values_with_intervals(record):
    text = format_slices(record.evaluations[0])
    assert re.search(r"Dice per vertebral body +lumbar_mri +0\.950 \(0\.950 to 0\.950\) +100 +20", text)
    assert re.search(r"L5 right where named with confidence +T1 +100\.0 % \(56\.6 to 100\.0\) +5 +5", text)
    assert "segmental angle" in text
    assert "lumbar_mri, mid slice" in text


def test_a_card_states_figures_rules_and_data(record, slices):
    rules = interval_rules(of_volumes(slices))
    settings = SagittalSettings(intervals=rules, slice_intervals=rules, min_probability=0.8)
    card = render_card(record, settings)
    assert "pipeline_tag: image-segmentation" in card
    assert "type: dice_per_body\n      value: 0.95" in card
    assert re.search(r"\| segment \| 90% \| [\d.]+ \| [\d.]+ \| 80 \|", card)
    assert "## Owner's notes" in card
    assert r"a\|b" in card
    assert "below **0.800**" in card
    assert render_card(SagittalRecord.from_dict(json.loads(json.dumps(record.to_dict()))), settings) == card


def test_a_card_without_a_cross_validation_gives_no_figures(record):
    card = render_card(replace(record, evaluations=()), SagittalSettings())
    assert "gives no intervals" in card
    assert "### Measures" not in card


def test_a_card_states_the_split_test_apart(record, slices):
    card = render_card(replace(record, evaluations=(), test=evaluate_slices(slices)), SagittalSettings())
    assert "### Split test" in card
    assert "#### Measures, lumbar_mri, mid slice, split test" in card
    assert "folds over patients, " not in card.split("## How to use")[0]


def test_record_and_settings_of_different_kinds_are_refused(record):
    from spinealign.checkpoint.vertebra_settings import VertebraSettings

    with pytest.raises(TypeError, match="different tasks"):
        render_card(record, VertebraSettings())
