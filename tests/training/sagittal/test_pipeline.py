"""Training from drawn slices to a checkpoint that measures."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import ROOT

from spinealign import Aligner
from spinealign.alignment.sagittal.drawn_slices import write_sagittal_spines
from spinealign.cohort.masks.loading import load_slices
from spinealign.errors import CohortError
from spinealign.training.sagittal.cross_validation import SagittalFoldPredictions, code_digest
from spinealign.training.sagittal.pipeline import run_sagittal_training
from spinealign.training.setup import parse_training_setup


def words(slices, output, *more):
    kind = ("--task", "vertebrae", "--kind", "sagittal_mr", "--data_dir", str(slices), "--output_dir", str(output))
    return [*kind, "--use_cpu", "--report_to", "none", "--width", "0.25", *more]


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "slices"
    write_sagittal_spines(folder, {"train": 12, "test": 2}, seed=5)
    return folder


@pytest.mark.slow
def test_a_small_model_measures_drawn_spines(slices, tmp_path):
    output, folds = tmp_path / "model", tmp_path / "folds.json"
    options = (
        "--num_train_epochs",
        "6",
        "--per_device_train_batch_size",
        "4",
        "--folds",
        "2",
        "--fold_epochs",
        "1",
        "--fold_predictions",
        str(folds),
    )
    run = subprocess.run(
        [sys.executable, "train.py", *words(slices, output, *options)], capture_output=True, text=True, cwd=ROOT
    )
    assert run.returncode == 0, run.stderr
    assert "The checkpoint is in" in run.stdout
    assert not (output / "training").exists()
    predictions = SagittalFoldPredictions.load(folds)
    assert {item.fold for item in predictions.slices} == {0, 1}
    assert len(predictions.slices) == 12, "slices of the split test are not trained on"
    aligner = Aligner.from_pretrained(output)
    (drawn, *_) = [item for item in load_slices(slices).slices if item.split == "test"]
    found = aligner.measure((drawn.gray / 1.2 * 255).astype("uint8"), check_kind=False)
    assert len(found.vertebrae) >= 3, found.rejection_reasons


@pytest.mark.parametrize(
    ("stale", "message"), [("data", "made with other slices or labels"), ("code", "made by another release")]
)
def test_stale_predictions_are_refused(slices, tmp_path, stale, message):
    file = tmp_path / "folds.json"
    digests = {"code": code_digest(), "data": load_slices(slices).digest, stale: "other"}
    SagittalFoldPredictions(2, 1.0, 0, **digests).save(file)
    setup = parse_training_setup(words(slices, tmp_path / "out", "--fold_predictions", str(file)))
    with pytest.raises(CohortError, match=message):
        run_sagittal_training(setup)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--folds", "1"), "folds must be 0 or at least 2"),
        (("--folds_only",), "folds_only needs folds and fold_predictions"),
        (("--teacher_share", "1"), "teacher_share must be in (0, 1)"),
        (("--input_height", "512"), "not used by the HfArgumentParser: ['--input_height'"),
    ],
)
def test_wrong_options_are_refused_before_reading(tmp_path, capsys, more, message):
    with pytest.raises(SystemExit):
        parse_training_setup(words(tmp_path, tmp_path / "out", *more))
    assert message in capsys.readouterr().err.replace("\n", " ")
