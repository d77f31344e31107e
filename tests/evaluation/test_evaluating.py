from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from safetensors.numpy import save_file

from spinealign import Predictor
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.splitting import load_cohort
from spinealign.cohort.training_images import training_digests
from spinealign.errors import CohortError, LeakageError
from spinealign.evaluation.evaluating import cross_evaluate, evaluate
from spinealign.metrics.evaluation import Evaluation, TrainingOverlap
from spinealign.reporting.evaluation_text import format_evaluations


@pytest.fixture(scope="module")
def predictor(tiny_checkpoint):
    return Predictor.from_pretrained(tiny_checkpoint)


def flat_copy(phantom_folder, folder, split="test", edit=lambda image: image):
    """Copy the images of a split to `folder/{class}/`, without the manifest."""
    for sample in index_cohort(phantom_folder).part(split):
        (folder / sample.label).mkdir(parents=True, exist_ok=True)
        edit(Image.open(sample.image)).save(folder / sample.label / Path(sample.image).name)
    return folder


def test_a_folder_is_evaluated(tiny_checkpoint, phantom_folder, tmp_path, caplog):
    folder = flat_copy(phantom_folder, tmp_path / "other hospital")
    evaluation = evaluate(tiny_checkpoint, folder, progress=False)
    assert (evaluation.collection, evaluation.split, evaluation.images) == ("other hospital", "all", 12)
    assert {gray.shape for gray in evaluation.predictions.gray.values()} == {(64, 64)}
    assert "was trained on" not in caplog.text
    evaluation.save(tmp_path / "out")
    assert Evaluation.from_dict(json.loads((tmp_path / "out" / "evaluation.json").read_text())) == evaluation


def test_path_cohort_and_predictor_give_the_same(predictor, tiny_checkpoint, phantom_folder):
    stored = json.loads((tiny_checkpoint / "metrics.json").read_text())["evaluations"][0]
    assert evaluate(predictor, str(phantom_folder), progress=False) == Evaluation.from_dict(stored)
    assert evaluate(predictor, index_cohort(phantom_folder), progress=False) == Evaluation.from_dict(stored)


@pytest.mark.parametrize(("split", "left_out"), [("test", 32), ("train", 8)])
def test_training_images_are_only_scored_on_request(predictor, phantom_folder, caplog, split, left_out):
    evaluation = evaluate(predictor, phantom_folder, split=split, progress=False)
    assert (evaluation.split, evaluation.training_overlap) == (split, TrainingOverlap(32, left_out))
    assert f"32 images of phantoms were used in the training of the model; {left_out} images" in caplog.text
    assert ("do not show how it performs" in caplog.text) == (split != "test")


def test_a_strangers_folder_of_the_same_name_is_scored_whole(predictor, phantom_folder, tmp_path, caplog):
    folder = flat_copy(phantom_folder, tmp_path / "phantoms", edit=ImageOps.mirror)
    evaluation = evaluate(predictor, folder, progress=False)
    assert (evaluation.split, evaluation.images) == ("all", 12)
    assert evaluation.training_overlap == TrainingOverlap(0, 0)
    assert not [message for message in caplog.messages if "training" in message]


def test_renamed_training_images_are_recognized(predictor, phantom_folder, tmp_path):
    folder = flat_copy(phantom_folder, tmp_path / "other hospital")
    for number, sample in enumerate(index_cohort(phantom_folder).samples[:6]):
        Image.open(sample.image).convert("RGB").save(folder / sample.label / f"{number}.png")
        Image.open(sample.image).rotate(90).save(folder / sample.label / f"{number}, turned.png")
    evaluation = evaluate(predictor, folder, progress=False)
    assert (evaluation.split, evaluation.images, evaluation.training_overlap) == ("test", 12, TrainingOverlap(6, 12))
    assert evaluation.to_dict()["training_overlap"] == {"images": 6, "left_out": 12}
    line = "training images in the collection 6; images left out of the scores for this reason 12"
    assert line in format_evaluations([evaluation])
    assert evaluation.scores == pytest.approx(evaluate(predictor, phantom_folder, progress=False).scores)
    folds = cross_evaluate(predictor, folder, folds=2, progress=False)
    assert (folds.pooled.images, folds.pooled.training_overlap) == (12, TrainingOverlap(6, 12))


def test_training_images_in_a_test_split_are_left_out(predictor, phantom_folder, tmp_path):
    for split in ("train", "test"):
        flat_copy(phantom_folder, tmp_path / "set" / "test", split)
    flat_copy(phantom_folder, tmp_path / "set" / "train", "val")
    evaluation = evaluate(predictor, tmp_path / "set", progress=False)
    assert (evaluation.split, evaluation.images, evaluation.training_overlap) == ("test", 12, TrainingOverlap(32, 32))


def test_a_collection_of_training_images_is_not_scored(predictor, phantom_folder, tmp_path):
    folder = flat_copy(phantom_folder, tmp_path / "set", "train")
    with pytest.raises(CohortError, match="trained on all images"):
        evaluate(predictor, folder, progress=False)
    assert evaluate(predictor, folder, split="train", progress=False).images == 24


def test_patients_are_found_as_in_the_training(tiny_checkpoint, phantom_folder, tmp_path):
    model = shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))
    settings = json.loads((model / "spinealign.json").read_text())
    settings["patient_pattern"] = r"\d+"
    (model / "spinealign.json").write_text(json.dumps(settings))
    evaluation = evaluate(model, phantom_folder, progress=False)
    assert (evaluation.unit, evaluation.units) == ("patient", 12)


@pytest.fixture
def without_list(tiny_checkpoint, tmp_path):
    """Predictor of a checkpoint of an earlier release."""
    skipped = shutil.ignore_patterns("training", "training_images.safetensors")
    return Predictor.from_pretrained(shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=skipped))


def test_without_a_list_a_training_collection_is_known_by_name(without_list, phantom_folder, tmp_path, caplog):
    assert evaluate(without_list, phantom_folder, progress=False).training_overlap is None
    assert "recognized by its name" in caplog.text
    folder = flat_copy(phantom_folder, tmp_path / "set", "train")
    assert evaluate(without_list, folder, progress=False).images == 24
    assert "cannot be recognized" in caplog.text


def test_an_unsplit_training_collection_is_scored_as_in_the_training(without_list, phantom_folder, tmp_path, caplog):
    for split in ("train", "val", "test"):
        folder = flat_copy(phantom_folder, tmp_path / "phantoms", split)
    by_name = evaluate(without_list, folder, progress=False)
    parts = load_cohort(folder, split="source", progress=False)
    save_file(training_digests([parts]), without_list.checkpoint.folder / "training_images.safetensors")
    by_pixels = evaluate(without_list.checkpoint.folder, folder, progress=False)
    assert (by_pixels, by_pixels.split) == (by_name, "test")
    assert by_pixels.training_overlap == TrainingOverlap(44 - by_name.images, 44 - by_name.images)


def test_leaks_are_resolved_as_asked(predictor, phantom_folder, tmp_path):
    for split in ("train", "test"):
        flat_copy(phantom_folder, tmp_path / "set" / split, "test")
    with pytest.raises(LeakageError):
        evaluate(predictor, tmp_path / "set", on_leakage="error", progress=False)
    assert evaluate(predictor, tmp_path / "set", progress=False).images == 12


def test_more_folds_than_sources_are_refused(predictor, phantom_folder):
    with pytest.raises(CohortError, match="90 folds"):
        cross_evaluate(predictor, phantom_folder, folds=90, progress=False)
