from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from spinealign.metrics.evaluation import Evaluation, Evidence, percent
from spinealign.metrics.intervals import cluster_bootstrap, wilson_interval
from spinealign.metrics.scores import Confusion, Scores, binary_scores

POSITIVE = np.array([True] * 4 + [False] * 4)
SOURCES = ["a", "a", "b", "b", "c", "c", "d", "d"]
PERFECT = [1, 1, 1, 1, 0, 0, 0, 0]


def evaluation(probability, threshold=0.5, **more):
    evidence = Evidence("set", "val", SOURCES, **more)
    return Evaluation.of(POSITIVE, np.array(probability, float), evidence=evidence, threshold=threshold, draws=200)


def test_copies_of_a_source_count_once_in_the_interval():
    perfect = evaluation(PERFECT)
    assert perfect.accuracy_interval == pytest.approx(wilson_interval(1.0, 4))
    assert perfect.naive_intervals["accuracy"] == pytest.approx(wilson_interval(1.0, 8))
    assert (perfect.images, perfect.sources, perfect.unit, perfect.units) == (8, 4, "source", 4)


def test_where_patients_are_known_the_intervals_draw_them():
    by_patient = evaluation(PERFECT, patients=["p", "p", "p", "p", "q", "q", "q", "q"])
    assert (by_patient.sources, by_patient.unit, by_patient.units) == (4, "patient", 2)
    assert by_patient.accuracy_interval == pytest.approx(wilson_interval(1.0, 2))


def test_every_score_has_both_intervals():
    measured = evaluation([0.9, 0.8, 0.7, 0.2, 0.6, 0.1, 0.1, 0.3])
    names = {field.name for field in fields(Scores)}
    assert set(measured.intervals) == set(measured.naive_intervals) == names
    assert all(interval is not None for interval in measured.intervals.values())


def test_the_threshold_reaches_everything_that_is_called():
    sizes = np.array([3.5] * 4 + [np.nan] * 4)
    probability = np.array([0.9, 0.8, 0.6, 0.2, 0.6, 0.1, 0.1, 0.3])
    strict = evaluation(probability, threshold=0.7, size_mm=sizes)
    assert strict.threshold == 0.7
    assert strict.scores == binary_scores(POSITIVE, probability, threshold=0.7)
    assert strict.confusion == Confusion(tp=2, fp=0, tn=4, fn=2)
    assert strict.intervals == cluster_bootstrap(POSITIVE, probability, groups=SOURCES, threshold=0.7, draws=200)
    assert strict.sensitivity_from(3.0) == 0.5
    assert evaluation(probability, threshold=0.6, size_mm=sizes).sensitivity_from(3.0) == 0.75


def test_the_thumbnail_ridge_is_measured_on_the_same_sources():
    called = np.array([True, True, True, True, True, True, False, False])
    measured = evaluation(PERFECT, ridge_called=called)
    assert measured.thumbnail_ridge_accuracy == 0.75
    low, high = measured.thumbnail_ridge_interval
    assert low <= wilson_interval(0.75, 4)[0]
    assert high >= wilson_interval(0.75, 4)[1]
    assert measured.thumbnail_ridge.scores.specificity == 0.5
    assert measured.thumbnail_ridge.scores.auroc is measured.thumbnail_ridge.intervals["brier"] is None


def test_a_split_that_a_linear_model_reads_carries_a_warning_in_the_style_of_the_table():
    positive = np.arange(40) < 20
    evidence = Evidence("set", "val", range(40), ridge_called=positive)
    warning = Evaluation.of(positive, positive.astype(float), evidence=evidence, draws=50).shortcut_warning
    assert "reaches 100.00 % on set (val)" in warning
    assert "says nothing about fractures" in warning


def test_a_rare_class_does_not_hide_that_the_probe_tells_it():
    positive = np.arange(400) < 20
    evidence = Evidence("set", "val", range(400), ridge_called=positive)
    warning = Evaluation.of(positive, positive.astype(float), evidence=evidence, draws=50).shortcut_warning
    assert "reaches a balanced accuracy of 100.00 % on set (val)" in warning


def test_a_probe_that_always_says_the_more_frequent_class_raises_no_alarm():
    positive = np.arange(40) < 8
    evidence = Evidence("set", "val", range(40), ridge_called=np.zeros(40, bool))
    measured = Evaluation.of(positive, positive.astype(float), evidence=evidence, draws=50)
    assert measured.thumbnail_ridge_accuracy == 0.8
    assert measured.shortcut_warning is None


def test_a_split_where_the_probe_fails_carries_no_warning():
    assert evaluation(PERFECT, ridge_called=np.arange(8) % 2 == 0).shortcut_warning is None
    assert evaluation(PERFECT).shortcut_warning is None


def test_sensitivity_is_known_by_size_where_sizes_are():
    sizes = np.array([1.5, 2.5, 3.5, 20.0] + [np.nan] * 4)
    measured = evaluation([0.1, 0.9, 0.9, 0.2, 0, 0, 0, 0], size_mm=sizes)
    found = [(entry.from_mm, entry.sensitivity) for entry in measured.sensitivity_by_size]
    assert found == [(1, 0), (2, 1), (3, 1), (8, 0)]
    assert measured.sensitivity_from(3.0) == 0.5
    assert measured.sensitivity_from(9.0) is None


@pytest.mark.parametrize("ridge", [None, np.array(PERFECT, bool)])
def test_an_evaluation_comes_back_from_json_as_it_was(ridge):
    sizes = np.array([1.5, 2.5, 3.5, 20.0] + [np.nan] * 4)
    measured = evaluation([0.9, 0.8, 0.7, 0.2, 0.6, 0.1, 0.1, 0.3], threshold=0.4, size_mm=sizes, ridge_called=ridge)
    text = json.dumps(measured.to_dict(), allow_nan=False)
    assert Evaluation.from_dict(json.loads(text)) == measured


def test_numbers_of_another_version_are_refused():
    content = evaluation(PERFECT).to_dict()
    for broken in ({"images": 8}, {**content, "colour": 1}, {**content, "scores": {"precision": 1.0}}, None, [], "x"):
        with pytest.raises(ValueError, match="measure the model again"):
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
def test_numbers_that_contradict_each_other_are_refused(changed):
    with pytest.raises(ValueError, match="measure the model again"):
        Evaluation.from_dict({**evaluation(PERFECT).to_dict(), **changed})


def test_the_evidence_of_a_part_follows_its_images():
    whole = Evidence("set", "val", SOURCES, size_mm=np.arange(8.0), ridge_called=POSITIVE)
    part = whole.part(~POSITIVE, split="fold 1")
    assert (part.split, list(part.sources), part.patients) == ("fold 1", ["c", "c", "d", "d"], None)
    assert part.size_mm.tolist() == [4, 5, 6, 7]
    assert not part.ridge_called.any()


def test_a_share_is_written_in_percent():
    assert (percent(0.9775), percent(None)) == ("97.75 %", "-")
