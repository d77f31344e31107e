"""Evaluation of models of every kind on made-up collections, as a command and from Python."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from spinealign import Evaluation, Predictor
from spinealign.cli.program import main
from spinealign.errors import CohortError
from spinealign.evaluation.evaluating import cross_evaluate, evaluate

COUNT = 24


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder with images that differ in brightness and structure, two of each patient."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        noise = rng.integers(0, 60 + 5 * number, (64, 64))
        Image.fromarray((noise + 4 * number).clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def manifest(folder, name, columns):
    path = folder / name
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "patient", *columns])
        for number in range(COUNT):
            values = [column[number] for column in columns.values()]
            writer.writerow([f"{number}.png", f"p{number // 2}", *values])
    return path


def cycle(*values):
    return [values[number // 2 % len(values)] for number in range(COUNT)]


@pytest.fixture(scope="module")
def manifests(pictures):
    findings = {f"finding {number}": cycle(*"0101"[number % 2 :], "") for number in range(5)}
    mixed = {
        "pfirrmann": cycle("1", "2", "3", ""),
        "narrowing": cycle("no", "yes"),
        "bulging": cycle("yes", "yes", "no"),
    }
    return {
        "multi_class": manifest(pictures, "types.csv", {"label": cycle(*"abcde")}),
        "ordinal": manifest(pictures, "grades.csv", {"label": cycle(*"12345")}),
        "multi_label": manifest(pictures, "findings.csv", findings),
        "mixed": manifest(pictures, "mixed.csv", mixed),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "ordinal",
        "mixed",
        pytest.param("multi_class", marks=pytest.mark.slow),
        pytest.param("multi_label", marks=pytest.mark.slow),
    ],
)
def test_the_command_scores_and_draws_every_kind(kind, models_of_every_kind, manifests, tmp_path, capsys):
    model, data = str(models_of_every_kind[kind]), str(manifests[kind])
    assert main(["evaluate", data, "--model", model, "--output", str(tmp_path / "out"), "--json"]) == 0
    measured = Evaluation.from_dict(json.loads(capsys.readouterr().out))
    assert (measured.kind, measured.images, measured.unit, measured.units) == (kind, COUNT, "patient", COUNT // 2)
    assert Evaluation.from_dict(json.loads((tmp_path / "out" / "evaluation.json").read_text())) == measured
    for name in ("evaluation.png", "worst_cases.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            assert picture.width > 800
    if kind == "mixed":
        missing = {part.label: part.missing for part in measured.parts}
        assert missing == {"pfirrmann": 6, "narrowing": 0, "bulging": 0}
        assert measured.parts[1].threshold == 0.3


def test_scores_are_those_of_the_predictions(models_of_every_kind, manifests, pictures):
    predictor = Predictor.from_pretrained(models_of_every_kind["ordinal"])
    measured = evaluate(predictor, manifests["ordinal"], progress=False)
    grades = [int(predictor(pictures / f"{number}.png").label) for number in range(COUNT)]
    truth = np.array([int(value) for value in cycle(*"12345")])
    assert measured.scores["accuracy"] == pytest.approx(np.mean(grades == truth))
    assert measured.scores["mean_absolute_error"] == pytest.approx(np.abs(grades - truth).mean())


def test_the_column_of_a_single_label_may_have_another_name(models_of_every_kind, pictures, tmp_path):
    model = shutil.copytree(models_of_every_kind["ordinal"], tmp_path / "model")
    settings = (model / "spinealign.json").read_text().replace('"label":', '"grade":')
    (model / "spinealign.json").write_text(settings.replace('"name": "label"', '"name": "grade"'))
    usual = manifest(pictures, "grade.csv", {"grade": cycle(*"12345")})
    renamed = manifest(pictures, "severity.csv", {"label": cycle("x"), "severity": cycle(*"12345")})
    predictor = Predictor.from_pretrained(model)
    expected = evaluate(predictor, usual, progress=False).scores
    assert evaluate(predictor, renamed, label_column="severity", progress=False).scores == expected
    with pytest.raises(ValueError, match="a model with one label"):
        evaluate(models_of_every_kind["mixed"], renamed, label_column="severity", progress=False)


def test_a_text_lists_labels_classes_and_what_is_missing(models_of_every_kind, manifests, capsys):
    assert main(["evaluate", str(manifests["mixed"]), "--model", str(models_of_every_kind["mixed"])]) == 0
    text = capsys.readouterr().out
    for part in ("mean of 3 labels", "pfirrmann: 18 images", "left out without a value: 6", "truth, prediction"):
        assert part in text
    assert "quadratic kappa" in text


def test_a_label_without_any_value_is_named(models_of_every_kind, pictures, caplog):
    columns = {"pfirrmann": cycle("1", "2"), "narrowing": cycle("no", "yes"), "bulging": cycle("")}
    measured = evaluate(models_of_every_kind["mixed"], manifest(pictures, "two.csv", columns), progress=False)
    assert [part.label for part in measured.parts] == ["pfirrmann", "narrowing"]
    assert "No scored image has a value for bulging" in caplog.text


def test_folds_of_several_labels_are_scored(models_of_every_kind, manifests):
    result = cross_evaluate(models_of_every_kind["mixed"], manifests["mixed"], folds=2, progress=False)
    assert [item.kind for item in result.folds] == ["mixed", "mixed"]
    assert result.pooled.images == COUNT
    assert result.pooled.thumbnail_ridge is not None


@pytest.fixture
def one_class(tmp_path):
    def write(name):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(6):
            noise = np.random.default_rng(number).integers(0, 200, (64, 64), np.uint8)
            Image.fromarray(noise).save(tmp_path / "set" / name / f"{number}.png")
        return tmp_path / "set"

    return write


@pytest.mark.parametrize(("name", "defined"), [("fracture", "sensitivity"), ("normal", "specificity")])
def test_a_set_with_one_class_is_scored_as_far_as_possible(name, defined, toy_model, one_class, tmp_path, capsys):
    folder = one_class(name)
    assert main(["evaluate", str(folder), "--model", str(toy_model), "--output", str(tmp_path / "out")]) == 0
    lines = {line.split("  ")[0]: line for line in capsys.readouterr().out.splitlines()}
    other = "specificity" if defined == "sensitivity" else "sensitivity"
    assert "not defined" not in lines[defined]
    for undefined in (other, "PPV", "F1", "AUROC", "balanced accuracy"):
        assert "not defined" in lines[undefined]


def test_the_positive_class_may_have_another_name(toy_model, one_class):
    one_class("negative")
    folder = one_class("positive")
    with pytest.raises(CohortError, match="positive"):
        evaluate(toy_model, folder, progress=False)
    measured = evaluate(toy_model, folder, positive="positive", progress=False)
    assert (measured.images, measured.prevalence) == (12, 0.5)


def test_unknown_classes_are_refused_before_reading(models_of_every_kind, one_class):
    with pytest.raises(CohortError, match="zebra"):
        evaluate(models_of_every_kind["multi_class"], one_class("zebra"), progress=False)
