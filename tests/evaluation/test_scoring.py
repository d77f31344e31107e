from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from spinealign import Predictor
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.preparing import prepare_cohort
from spinealign.errors import CohortError
from spinealign.evaluation.assessment import network_output
from spinealign.evaluation.scoring import cross_score, score, worst_cases_of, write_evaluation
from spinealign.metrics.evaluation import Evaluation


@pytest.fixture(scope="module")
def predictor(tiny_checkpoint):
    return Predictor.from_pretrained(tiny_checkpoint)


@pytest.fixture(scope="module")
def loaded(phantom_folder, predictor):
    cohort = index_cohort(phantom_folder)
    return prepare_cohort(cohort, predictor.conditioning, split=None, on_leakage="error", progress=False)


def test_the_test_part_is_scored_as_the_training_scored_it(predictor, loaded, tiny_checkpoint):
    stored = json.loads((tiny_checkpoint / "metrics.json").read_text())
    assert score(predictor, loaded).evaluation == Evaluation.from_dict(stored["evaluations"][0])


def test_what_is_rejected_as_unknown_is_left_out_of_the_accepted(predictor, loaded, tiny_checkpoint, tmp_path):
    distances = predictor.novelty(network_output(predictor, loaded.part("val"), progress=False).features)
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))
    settings = json.loads((folder / "spinealign.json").read_text())
    settings["novelty"]["threshold"] = float(np.sort(distances)[2])
    (folder / "spinealign.json").write_text(json.dumps(settings))
    scored = score(Predictor.from_pretrained(folder), loaded, split="val")
    assert (scored.evaluation.images, scored.accepted.images) == (8, 3)
    assert scored.accepted.split == "val, accepted"
    settings["novelty"]["threshold"] = 1e-9
    (folder / "spinealign.json").write_text(json.dumps(settings))
    assert score(Predictor.from_pretrained(folder), loaded, split="val").accepted is None


def test_a_part_that_is_not_there_is_named(predictor, loaded):
    with pytest.raises(CohortError, match="no part calibration; it has train, val, test"):
        score(predictor, loaded, split="calibration")


def test_numbers_pictures_and_worst_cases_are_written(predictor, loaded, tmp_path):
    scored = score(predictor, loaded)
    write_evaluation(scored, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "evaluation.json", "evaluation.png", "worst_cases.png",
    }  # fmt: skip
    stored = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert Evaluation.from_dict(stored) == scored.evaluation
    with Image.open(tmp_path / "out" / "worst_cases.png") as sheet:
        assert sheet.width > 800


def test_the_worst_case_is_the_wrong_call_that_was_surest(predictor, loaded):
    cases = worst_cases_of(score(predictor, loaded))
    wrong = [case for case in cases if not case.right]
    assert wrong
    assert cases[: len(wrong)] == wrong
    errors = [1 - case.probability if case.truth == "fracture" else case.probability for case in wrong]
    assert errors == sorted(errors, reverse=True)


def test_a_finished_model_is_scored_fold_by_fold(predictor, loaded):
    crossed = cross_score(predictor, loaded, folds=4)
    assert len(crossed.folds) == 4
    assert crossed.pooled.images == len(loaded.cohort)
    with pytest.raises(CohortError, match="90 folds"):
        cross_score(predictor, loaded, folds=90)
