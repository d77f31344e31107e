"""Training from drawn films to a checkpoint that measures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from spinealign import Aligner
from spinealign.alignment.cobb import endplate_curves
from spinealign.alignment.drawn_films import write_frontal_spines, write_lateral_spines
from spinealign.alignment.vertebra import spine
from spinealign.cohort.landmarks.loading import load_films
from spinealign.errors import CohortError
from spinealign.training.setup import parse_training_setup
from spinealign.training.vertebrae.cross_validation import FoldPredictions, code_digest
from spinealign.training.vertebrae.pipeline import run_vertebra_training

SMALL = ("--width", "0.5", "--coarse_height", "256", "--input_height", "256", "--use_cpu", "--report_to", "none")


def words(films: Path, output: Path, *more: str) -> list[str]:
    return ["--task", "vertebrae", "--data_dir", str(films), "--output_dir", str(output), *SMALL, *more]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "films"
    write_frontal_spines(folder, {"train": 24, "test": 10}, seed=5, height=512)
    return folder


@pytest.mark.slow
def test_a_small_model_measures_drawn_spines_within_five_degrees(films: Path, tmp_path: Path) -> None:
    write_lateral_spines(tmp_path / "lateral", {"train": 6}, seed=5, height=512)
    output, folds = tmp_path / "model", tmp_path / "folds.json"
    options = ("--num_train_epochs", "24", "--warmup_steps", "8", "--folds", "2", "--fold_epochs", "1")
    more = (*options, "--fold_predictions", str(folds), "--background_dir", str(tmp_path / "lateral"))
    run = subprocess.run(
        [sys.executable, "train.py", *words(films, output, *more)], capture_output=True, text=True, cwd=ROOT
    )

    assert run.returncode == 0, run.stderr
    assert "The checkpoint is in" in run.stdout
    aligner = Aligner.from_pretrained(output)
    errors = []
    for film in load_films(films).part("test"):
        alignment = aligner.measure(film.path)
        assert alignment.accepted, alignment.rejection_reasons
        errors.append(abs(alignment["cobb_main"].value - endplate_curves(spine(film.points))[0].angle_deg))
    assert np.mean(errors) <= 5, errors
    predictions = FoldPredictions.load(folds)
    assert len(predictions.films) == 24
    assert {film.fold for film in predictions.films} == {0, 1}
    assert predictions.code == code_digest()
    assert not (output / "training").exists()


@pytest.mark.parametrize(
    ("stale", "message"), [("data", "made with other films or labels"), ("code", "made by another release")]
)
def test_stale_predictions_are_refused(films: Path, tmp_path: Path, stale: str, message: str) -> None:
    file = tmp_path / "folds.json"
    digests = {"code": code_digest(), "data": load_films(films).digest, stale: "other"}
    FoldPredictions((), 3, 1.0, 0, **digests).save(file)
    setup = parse_training_setup(words(films, tmp_path / "out", "--fold_predictions", str(file)))

    with pytest.raises(CohortError, match=message):
        run_vertebra_training(setup)


def test_a_damaged_file_of_predictions_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "folds.json"
    file.write_text(json.dumps({"films": 3}))

    with pytest.raises(CohortError, match="does not hold the predictions of a cross-validation"):
        FoldPredictions.load(file)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--folds", "1"), "folds must be 0 or at least 2"),
        (("--folds_only",), "folds_only needs folds and fold_predictions"),
        (("--input_height", "500"), "input_height must be a multiple of 256"),
        (("--card_notes", "nothing.md"), "card_notes names the file nothing.md, which does not exist"),
    ],
)
def test_wrong_options_are_refused_before_reading(films, tmp_path, capsys, more, message) -> None:
    with pytest.raises(SystemExit):
        parse_training_setup(words(films, tmp_path / "out", *more))

    assert message in " ".join(capsys.readouterr().err.split())
