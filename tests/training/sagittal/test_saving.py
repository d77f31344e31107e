from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_slices import drawn_series, drawn_slice, measured_slice, named_picture
from transformers import TrainingArguments

from spinealign import Aligner
from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.files import NEEDED, SAGITTAL_MR
from spinealign.cohort.masks.loading import MaskCohort
from spinealign.hub.checks import check_checkpoint
from spinealign.reporting.model_card import render_card
from spinealign.training.describing import vertebra_command
from spinealign.training.sagittal.arguments import DEFAULTS, SagittalArguments, SagittalModelArguments, SagittalSetup
from spinealign.training.sagittal.cross_validation import SagittalFoldPredictions
from spinealign.training.sagittal.saving import fit_settings, save_sagittal_checkpoint

HISTORY = [{"epoch": 1.0, "loss": 3.0}, {"epoch": 2.0, "loss": 2.0}]
COHORT = MaskCohort("lumbar_mri+spider", (drawn_slice(),), (drawn_series(),), "digest", ("left out: 1 slice",))


def make_setup(folder):
    return SagittalSetup(
        SagittalArguments(["/somewhere/lumbar_mri", "/somewhere/spider"]),
        SagittalModelArguments(width=0.25),
        TrainingArguments(output_dir=str(folder), num_train_epochs=2, seed=3, report_to="none"),
    )


@pytest.fixture(scope="module")
def predictions():
    rng = np.random.default_rng(0)
    slices = [measured_slice(patient, number, error=float(rng.normal())) for patient in range(20) for number in (7, 9)]
    pictures = [named_picture(number) for number in range(5)]
    return SagittalFoldPredictions(3, 1.0, 3, "code", "data", tuple(slices), tuple(pictures), {"a to b": tuple(slices)})


def test_predictions_survive_their_file(predictions, tmp_path):
    predictions.save(tmp_path / "folds.json")
    assert SagittalFoldPredictions.load(tmp_path / "folds.json") == predictions
    lines = (tmp_path / "folds.json").read_text().splitlines()
    assert sum("vb3_00_07" in line for line in lines) == 2, "one line for each slice"


def test_intervals_and_limits_come_from_held_out_slices(predictions, tmp_path):
    settings = fit_settings(make_setup(tmp_path), COHORT, predictions=predictions)
    assert settings.training_data == ("lumbar_mri", "spider")
    assert settings.intervals["segment"].images == 4 * 20
    assert settings.slice_intervals["segment"].images == 4 * 40
    assert settings.min_probability == 0.95
    without = fit_settings(make_setup(tmp_path), COHORT, predictions=None)
    assert (without.intervals, without.min_probability) == ({}, 0.0)


def test_patients_with_a_test_slice_are_not_trained_on():
    first, second, third = (
        drawn_slice(name=f"vb3_0{patient}_0{number}") for patient, number in ((1, 8), (1, 9), (2, 9))
    )
    cohort = replace(COHORT, slices=(first, replace(second, split="test"), third), boxed=())
    assert [item.name for item in cohort.test_slices] == [second.name]
    assert [item.name for item in cohort.training.slices] == [third.name]


def test_the_command_names_no_folder_of_the_machine(tmp_path):
    command = vertebra_command(make_setup(tmp_path), DEFAULTS)
    assert command.startswith("spinealign train --task vertebrae --kind sagittal_mr --data_dir lumbar_mri spider")
    assert "--width 0.25" in command
    assert "/somewhere" not in command


@pytest.mark.slow
def test_a_saved_checkpoint_is_complete(predictions, tmp_path):
    from spinealign.networks.sagittal import SagittalConfig, SagittalNetwork

    folder = tmp_path / "mri"
    tested = [drawn_slice(name=f"vb3_0{number}_09", split="test") for number in (2, 3)]
    test = save_sagittal_checkpoint(
        folder,
        make_setup(folder),
        network=SagittalNetwork(SagittalConfig(width=0.25)),
        history=HISTORY,
        cohort=replace(COHORT, slices=(*COHORT.slices, *tested)),
        predictions=predictions,
    )
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        *NEEDED["vertebrae"], "evaluation.png", "learning_curves.png",
    }  # fmt: skip
    check_checkpoint(folder)
    checkpoint = Checkpoint(folder, "mri")
    assert checkpoint.kind == SAGITTAL_MR
    record, settings = checkpoint.described
    assert record.evaluations[0].figure("l5_certain", "T1").count == 5
    assert record.test == test
    assert record.test.figure("bodies_found", "lumbar_mri").patients == 2
    assert (record.training.slices, record.collections[0].slices) == (1, 3)
    assert (folder / "README.md").read_text() == render_card(record, settings)
    image = np.random.default_rng(0).integers(0, 255, (224, 160)).astype(np.uint8)
    onnx, torch = (
        Aligner.from_pretrained(folder, engine=engine).measure(image, check_kind=False) for engine in ("onnx", "torch")
    )
    assert onnx.rejection_reasons == torch.rejection_reasons
