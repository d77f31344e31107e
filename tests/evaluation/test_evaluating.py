from __future__ import annotations

import json
import logging
import shutil

import pytest
from PIL import Image

from spinealign import Predictor
from spinealign.cohort.indexing import index_cohort
from spinealign.errors import CohortError, LeakageError
from spinealign.evaluation.evaluating import cross_evaluate, evaluate
from spinealign.metrics.evaluation import Evaluation


@pytest.fixture(scope="module")
def predictor(tiny_checkpoint):
    return Predictor.from_pretrained(tiny_checkpoint)


def flat_copy(phantom_folder, folder, split="test"):
    """Copy the images of a split to `folder/{class}/`, without the manifest."""
    for sample in index_cohort(phantom_folder).part(split):
        (folder / sample.label).mkdir(parents=True, exist_ok=True)
        shutil.copy(sample.image, folder / sample.label)
    return folder


def test_a_folder_is_evaluated(tiny_checkpoint, phantom_folder, tmp_path, caplog):
    folder = flat_copy(phantom_folder, tmp_path / "other hospital")
    evaluation = evaluate(tiny_checkpoint, folder, progress=False)
    assert (evaluation.collection, evaluation.split, evaluation.images) == ("other hospital", "all", 12)
    assert evaluation.predictions.gray.shape == (12, 64, 64)
    assert "was trained on" not in caplog.text
    evaluation.save(tmp_path / "out")
    assert Evaluation.from_dict(json.loads((tmp_path / "out" / "evaluation.json").read_text())) == evaluation


def test_path_cohort_and_predictor_give_the_same(predictor, tiny_checkpoint, phantom_folder):
    stored = json.loads((tiny_checkpoint / "metrics.json").read_text())["evaluations"][0]
    assert evaluate(predictor, str(phantom_folder), progress=False) == Evaluation.from_dict(stored)
    assert evaluate(predictor, index_cohort(phantom_folder), progress=False) == Evaluation.from_dict(stored)


@pytest.mark.parametrize(
    ("split", "remarks"),
    [("test", ()), ("val", ("scores are optimistic",)), ("train", ("do not show how it performs",))],
)
def test_remarks_on_a_training_collection(predictor, phantom_folder, caplog, split, remarks):
    assert evaluate(predictor, phantom_folder, split=split, progress=False).split == split
    (message,) = caplog.messages
    assert caplog.records[0].levelno == logging.WARNING
    assert "is split in the same way" in message
    for remark in ("scores are optimistic", "do not show how it performs"):
        assert (remark in message) == (remark in remarks)


def test_skipped_files_are_logged(predictor, tmp_path, slice_png, caplog):
    for name in ("fracture/a.png", "normal/b.png", "normal/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(slice_png.read_bytes())
    assert evaluate(predictor, tmp_path, progress=False).images == 2
    assert any("normal/c.txt" in message for message in caplog.messages)


def test_leaks_are_resolved_as_asked(predictor, phantom_folder, tmp_path):
    for split in ("train", "test"):
        flat_copy(phantom_folder, tmp_path / "set" / split, "test")
    with pytest.raises(LeakageError):
        evaluate(predictor, tmp_path / "set", on_leakage="error", progress=False)
    assert evaluate(predictor, tmp_path / "set", progress=False).images == 12


def test_a_collection_without_the_finding_is_refused(predictor, tmp_path):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        Image.new("L", (64, 64)).save(tmp_path / label / "x.png")
    with pytest.raises(CohortError, match="fracture"):
        evaluate(predictor, tmp_path, progress=False)


def test_a_model_is_evaluated_fold_by_fold(predictor, phantom_folder, caplog):
    result = cross_evaluate(predictor, phantom_folder, folds=4, progress=False)
    assert (len(result.folds), result.pooled.images) == (4, 44)
    assert "do not show how it performs" in caplog.text
    with pytest.raises(CohortError, match="90 folds"):
        cross_evaluate(predictor, phantom_folder, folds=90, progress=False)
