"""Training of each kind of label, from a folder or manifest to predictions by Hub id."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
from conftest import training_options

import spinealign
from spinealign import Predictor
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.errors import CohortError
from spinealign.hub.pushing import push_to_hub
from spinealign.labels import Label, Target
from spinealign.training.backbone import create_backbone
from spinealign.training.loading import index_collections
from spinealign.training.setup import make_setup, parse_training_setup
from spinealign.training.trainer import build_trainer

PIPELINE = """
import json, sys
from transformers import pipeline
classify = pipeline("image-classification", model=sys.argv[1], top_k=99)
print(json.dumps({row["label"]: row["score"] for row in classify(sys.argv[2])}))
"""
READ = """
import json, sys
from spinealign import load_cohort
print(json.dumps([[sample.label, dict(sample.labels)] for sample in load_cohort(sys.argv[1], labels=sys.argv[2:])]))
"""
GRADE = Label("grade", "ordinal", ("0", "1", "2", "3"))
ARCH, DISPLACED = (Label(name, "binary", ("no", "yes"), "yes") for name in ("arch", "displaced"))
KINDS = {
    "multi_class": ({}, Target("multi_class", (Label("label", "multi_class", ("displaced", "gap", "normal")),))),
    "ordinal": ({"labels": ["grade:ordinal"], "grades": [0, 1, 2, 3]}, Target("ordinal", (GRADE,))),
    "multi_label": ({"labels": "arch,displaced"}, Target("multi_label", (ARCH, DISPLACED))),
    "mixed": ({"labels": ["grade:ordinal", "arch", "displaced"]}, Target("mixed", (GRADE, ARCH, DISPLACED))),
}


def collection(kind, phantom_folder, folder):
    """Return the phantoms with all columns, or in folders of three classes."""
    if kind != "multi_class":
        return phantom_folder
    with (phantom_folder / "manifest.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            target = folder / row["split"] / row["finding"] / row["path"].replace("/", "-")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(phantom_folder / row["path"], target)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_the_target_of_each_kind_is_found_before_an_image_is_read(kind, phantom_folder, tmp_path):
    options, target = KINDS[kind]
    data = collection(kind, phantom_folder, tmp_path / "set")
    setup = make_setup(data, tmp_path / "out", **options)
    assert index_collections(setup)[1] == target
    words = [
        word
        for name, value in options.items()
        for word in (f"--{name}", ",".join(map(str, setup.data.labels)) if name == "labels" else "0,1,2,3")
    ]
    assert index_collections(parse_training_setup(["--data_dir", str(data), *words]))[1] == target


def test_a_cohort_brings_its_columns(phantom_folder, tmp_path):
    cohort = spinealign.load_cohort(phantom_folder, labels="arch,displaced")
    assert index_collections(make_setup(cohort, tmp_path))[1] == KINDS["multi_label"][1]
    with pytest.raises(CohortError, match="was not read with the labels grade"):
        index_collections(make_setup(cohort, tmp_path, labels="grade:ordinal"))


def test_epochs_of_a_mixed_model_are_scored_per_label(noise, tiny_backbone, tmp_path, caplog):
    target = KINDS["mixed"][1]
    rows = [{"grade": str(n % 4), "arch": ("no", "yes")[n % 2], "displaced": None if n % 3 else "no"} for n in range(6)]
    samples = (Sample("", None, str(n), split="train", name=str(n), labels=row) for n, row in enumerate(rows))
    noise = type(noise)(Cohort("noise", tuple(samples)), noise.gray, noise.config)
    options = {**training_options(tiny_backbone), "num_train_epochs": 1, "save_strategy": "no", "report_to": "none"}
    setup = make_setup("noise", tmp_path, load_best_model_at_end=False, **options)
    network, _ = create_backbone(setup.model, target)
    trainer = build_trainer(setup, network, target=target, train=[noise], validation=[noise])
    with caplog.at_level("INFO", logger="spinealign"):
        trainer.train()
    scores = next(row for row in trainer.state.log_history if "eval_loss" in row)
    accuracies = [scores[f"eval_{name}_accuracy"] for name in ("grade", "arch", "displaced")]
    assert scores["eval_accuracy"] == pytest.approx(sum(accuracies) / 3)
    assert "quadratic kappa" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_each_kind_is_trained_pushed_and_used(kind, local_hub, phantom_folder, tiny_backbone, tmp_path):
    options, target = KINDS[kind]
    data, repo_id = collection(kind, phantom_folder, tmp_path / "set"), local_hub.new_id()
    train = {**training_options(tiny_backbone), "num_train_epochs": 1, **options}
    result = spinealign.train(data, tmp_path / "model", **train)
    (evaluation,) = result.evaluations
    assert (evaluation.kind, len(evaluation.labels)) == (kind, len(target.labels))
    push_to_hub(result.folder, repo_id)
    predictor, image = Predictor.from_pretrained(repo_id), str(min((phantom_folder / "test").iterdir()))
    assert predictor.target == target
    prediction = predictor(image)
    assert [item.name for item in prediction.findings] == [label.name for label in target.labels]
    said = answer(local_hub.start("predict", image, "--model", repo_id, "--json"))
    (found,) = said if isinstance(said, list) else [said]
    assert found["probabilities"] == pytest.approx(dict(prediction.probabilities))
    plain = answer(local_hub.start_python(PIPELINE, repo_id, image))
    assert plain.keys() == set(target.outputs)
    if kind != "mixed":
        assert plain == pytest.approx(dict(prediction.probabilities), abs=1e-3)
    again = spinealign.evaluate(repo_id, data, progress=False)
    assert again.scores == evaluation.scores


def answer(process):
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return json.loads(out[min(out.find(mark) for mark in "[{" if mark in out) :])


@pytest.mark.slow
def test_several_labels_are_cross_validated(phantom_folder, tiny_backbone, tmp_path):
    train = {**training_options(tiny_backbone), "num_train_epochs": 1, "labels": "grade:ordinal,arch", "folds": 2}
    (crossed,) = spinealign.train(phantom_folder, tmp_path / "model", **train).cross_validations
    assert [part.label for part in crossed.pooled.parts] == ["grade", "arch"]
    assert sum(item.images for item in crossed.folds) == crossed.pooled.images == 44


@pytest.mark.slow
@pytest.mark.parametrize("labels", [["grade", "displaced"], ["grade"]])
def test_a_collection_with_named_labels_is_pushed_and_read_again(labels, local_hub, phantom_folder):
    cohort = spinealign.load_cohort(phantom_folder, labels=labels).part("val")
    cohort.push_to_hub("hospital/discs")
    again = answer(local_hub.start_python(READ, "hospital/discs", *labels))
    assert again == [[sample.label, dict(sample.labels)] for sample in cohort]
