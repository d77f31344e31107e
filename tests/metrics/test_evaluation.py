from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import evaluate_finding, predictions_of_finding
from PIL import Image

from spinealign.checkpoint.record import ModelRecord
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.evidence import Evidence
from spinealign.metrics.intervals import cluster_bootstrap, wilson_interval
from spinealign.metrics.scores import Confusion, scores_of
from spinealign.metrics.weighted import WeightedPredictions

POSITIVE = np.array([True] * 4 + [False] * 4)
SOURCES = ["a", "a", "b", "b", "c", "c", "d", "d"]
PERFECT = [1, 1, 1, 1, 0, 0, 0, 0]


def evaluation(probability, threshold=0.5, ridge_called=None, **more):
    if ridge_called is not None:
        more["ridge"] = [np.asarray(ridge_called).astype(int)]
    evidence = Evidence("set", "val", SOURCES, **more)
    return evaluate_finding(POSITIVE, np.array(probability, float), evidence=evidence, threshold=threshold, draws=200)


def test_copies_of_a_source_count_once_in_the_interval():
    perfect = evaluation(PERFECT)
    assert perfect.intervals["accuracy"] == pytest.approx(wilson_interval(1.0, 4))
    assert perfect.naive_intervals["accuracy"] == pytest.approx(wilson_interval(1.0, 8))
    assert (perfect.images, perfect.sources, perfect.unit, perfect.units) == (8, 4, "source", 4)


def test_intervals_draw_patients_if_they_are_known():
    by_patient = evaluation(PERFECT, patients=["p", "p", "p", "p", "q", "q", "q", "q"])
    assert (by_patient.sources, by_patient.unit, by_patient.units) == (4, "patient", 2)
    assert by_patient.intervals["accuracy"] == pytest.approx(wilson_interval(1.0, 2))


def test_every_score_has_both_intervals():
    measured = evaluation([0.9, 0.8, 0.7, 0.2, 0.6, 0.1, 0.1, 0.3])
    assert set(measured.intervals) == set(measured.naive_intervals) == set(measured.scores)
    assert all(interval is not None for interval in measured.intervals.values())


def test_the_threshold_applies_to_every_result():
    sizes = np.array([3.5] * 4 + [np.nan] * 4)
    probability = np.array([0.9, 0.8, 0.6, 0.2, 0.6, 0.1, 0.1, 0.3])
    strict = evaluation(probability, threshold=0.7, size_mm=sizes)
    assert strict.threshold == 0.7
    sample = WeightedPredictions.binary(POSITIVE, probability, threshold=0.7)
    assert strict.scores == scores_of(sample)
    assert strict.confusion == Confusion(tp=2, fp=0, tn=4, fn=2)
    assert strict.intervals == cluster_bootstrap(sample, groups=SOURCES, draws=200)
    assert strict.sensitivity_from(3.0) == 0.5
    assert evaluation(probability, threshold=0.6, size_mm=sizes).sensitivity_from(3.0) == 0.75


def test_the_thumbnail_ridge_is_measured_on_the_same_sources():
    called = np.array([True, True, True, True, True, True, False, False])
    measured = evaluation(PERFECT, ridge_called=called)
    assert measured.thumbnail_ridge_accuracy == 0.75
    low, high = measured.thumbnail_ridge.intervals["accuracy"]
    assert low <= wilson_interval(0.75, 4)[0]
    assert high >= wilson_interval(0.75, 4)[1]
    assert measured.thumbnail_ridge.scores["specificity"] == 0.5
    assert measured.thumbnail_ridge.scores["auroc"] is measured.thumbnail_ridge.intervals["brier"] is None


def test_a_split_that_the_probe_solves_carries_a_warning():
    positive = np.arange(40) < 20
    evidence = Evidence("set", "val", range(40), ridge=[positive.astype(int)])
    warning = evaluate_finding(positive, positive.astype(float), evidence=evidence, draws=50).shortcut_warning
    assert "reaches 100.00 % on set (val)" in warning
    assert "does not show that a model recognizes fracture; no model can clearly exceed this" in warning


def test_the_warning_uses_the_balanced_accuracy_if_skewed():
    positive = np.arange(400) < 20
    evidence = Evidence("set", "val", range(400), ridge=[positive.astype(int)])
    warning = evaluate_finding(positive, positive.astype(float), evidence=evidence, draws=50).shortcut_warning
    assert "reaches a balanced accuracy of 100.00 % on set (val)" in warning


def test_a_probe_that_predicts_one_class_gives_no_warning():
    positive = np.arange(40) < 8
    evidence = Evidence("set", "val", range(40), ridge=[np.zeros(40, int)])
    measured = evaluate_finding(positive, positive.astype(float), evidence=evidence, draws=50)
    assert measured.thumbnail_ridge_accuracy == 0.8
    assert measured.shortcut_warning is None


def test_a_split_that_the_probe_does_not_solve_has_no_warning():
    assert evaluation(PERFECT, ridge_called=np.arange(8) % 2 == 0).shortcut_warning is None
    assert evaluation(PERFECT).shortcut_warning is None


def test_sensitivity_by_size_is_computed_if_sizes_are_known():
    sizes = np.array([1.5, 2.5, 3.5, 20.0] + [np.nan] * 4)
    measured = evaluation([0.1, 0.9, 0.9, 0.2, 0, 0, 0, 0], size_mm=sizes)
    found = [(entry.from_mm, entry.sensitivity) for entry in measured.sensitivity_by_size]
    assert found == [(1, 0), (2, 1), (3, 1), (8, 0)]
    assert measured.sensitivity_from(3.0) == 0.5
    assert measured.sensitivity_from(9.0) is None


@pytest.mark.parametrize("ridge", [None, np.array(PERFECT, bool)])
def test_json_round_trip(ridge):
    sizes = np.array([1.5, 2.5, 3.5, 20.0] + [np.nan] * 4)
    measured = evaluation([0.9, 0.8, 0.7, 0.2, 0.6, 0.1, 0.1, 0.3], threshold=0.4, size_mm=sizes, ridge_called=ridge)
    measured = replace(measured, accepted=evaluation(PERFECT, ridge_called=ridge))
    text = json.dumps(measured.to_dict(), allow_nan=False)
    assert Evaluation.from_dict(json.loads(text)) == measured


def test_an_unknown_metric_is_kept_and_an_unknown_field_ignored():
    content = evaluation(PERFECT).to_dict()
    for name, value in (("scores", 0.5), ("intervals", (0.4, 0.6)), ("naive_intervals", None)):
        content[name] = {**content[name], "precision_at_k": value}
    read = Evaluation.from_dict({**content, "colour": 1, "predictions": {}})
    assert read.scores == {**evaluation(PERFECT).scores, "precision_at_k": 0.5}
    assert read.intervals["precision_at_k"] == (0.4, 0.6)
    assert read.predictions is None


def test_a_file_may_lack_a_metric():
    content = evaluation(PERFECT).to_dict()
    for name in ("scores", "intervals", "naive_intervals"):
        content[name] = {metric: value for metric, value in content[name].items() if metric != "ece"}
    read = Evaluation.from_dict(content)
    assert "ece" not in read.scores
    assert read.scores["auroc"] == 1


def test_damaged_content_is_a_value_error():
    content = evaluation(PERFECT).to_dict()
    nested = content
    for _ in range(2000):
        nested = {**content, "accepted": nested}
    damaged = ({"images": 8}, {**content, "scores": {"precision": 1.0}}, {**content, "accepted": {}}, nested)
    for broken in (*damaged, {**content, "scores": {}, "intervals": {}, "naive_intervals": {}}, None, [], "x"):
        with pytest.raises(ValueError, match="Evaluate the model again"):
            Evaluation.from_dict(broken)


@pytest.mark.parametrize(
    "changed",
    [
        {"images": 0},
        {"images": 9},
        {"sources": -1},
        {"confusion": {"tp": -1, "fp": 5, "tn": 4, "fn": 0}},
        {"confusion": {"tp": 0, "fp": 0, "tn": 0, "fn": 0}, "images": 0},
        {"intervals": {}},
        {"naive_intervals": {"colour": None}},
    ],
)
def test_contradicting_numbers_are_refused(changed):
    with pytest.raises(ValueError, match="Evaluate the model again"):
        Evaluation.from_dict({**evaluation(PERFECT).to_dict(), **changed})


def test_the_evidence_of_a_part_is_that_of_its_images():
    whole = Evidence("set", "val", SOURCES, size_mm=np.arange(8.0), ridge=[POSITIVE.astype(int), None])
    part = whole.part(~POSITIVE, split="fold 1")
    assert (part.split, list(part.sources), part.patients) == ("fold 1", ["c", "c", "d", "d"], None)
    assert part.size_mm.tolist() == [4, 5, 6, 7]
    assert not part.ridge[0].any()
    assert part.ridge[1] is None


def with_predictions(probability):
    gray = np.random.default_rng(0).integers(0, 256, (8, 16, 16), np.uint8)
    return predictions_of_finding(evaluation(probability), POSITIVE, probability, SOURCES, images=gray)


def test_predictions_are_not_compared_printed_or_stored():
    measured = with_predictions(PERFECT)
    assert measured == evaluation(PERFECT)
    assert "predictions" not in measured.to_dict()
    assert repr(measured) == repr(evaluation(PERFECT))
    assert "array" not in repr(measured.predictions)
    record = ModelRecord((measured,))
    assert ModelRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record


def test_saving_writes_numbers_figure_and_worst_cases(tmp_path):
    measured = with_predictions([0.9, 0.8, 0.7, 0.2, 0.6, 0.1, 0.1, 0.3])
    measured.save(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "evaluation.json", "evaluation.png", "worst_cases.png",
    }  # fmt: skip
    assert Evaluation.from_dict(json.loads((tmp_path / "out" / "evaluation.json").read_text())) == measured
    with Image.open(tmp_path / "out" / "worst_cases.png") as sheet:
        assert sheet.width > 800


def test_without_predictions_nothing_is_drawn(tmp_path):
    read = Evaluation.from_dict(with_predictions(PERFECT).to_dict())
    for save in (read.save, read.save_plots):
        with pytest.raises(ValueError, match="no predictions"):
            save(tmp_path / "out")
    assert not (tmp_path / "out").exists()
