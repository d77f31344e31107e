"""Scores, intervals and evaluations of labels of every kind."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics as reference

from spinealign.labels import MISSING, Label, Target
from spinealign.metrics.calibration import enough_sources, fit_temperature
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.evidence import Evidence
from spinealign.metrics.folds import source_folds
from spinealign.metrics.intervals import bootstrap_of_means, cluster_bootstrap
from spinealign.metrics.measuring import evaluate_predictions
from spinealign.metrics.registry import METRICS, weighted_scores
from spinealign.metrics.scores import label_scores, mean_scores, target_scores
from spinealign.metrics.shortcut import fold_calls, thumbnail_ridge_calls
from spinealign.metrics.weighted import WeightedPredictions

GRADES = Label("grade", "ordinal", ("1", "2", "3", "4"))
TYPES = Label("type", "multi_class", ("a", "b", "c"))
NARROWING = Label("narrowing", "binary", ("present", "absent"), "present")
MIXED = Target("mixed", (GRADES, NARROWING, TYPES))
COUNT = 120


def predictions(label, seed=0, count=COUNT, missing=0.0):
    """Return codes and probabilities in which the true class is the most probable one for about two thirds."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, len(label.classes), count)
    logits = rng.normal(0, 1, (count, len(label.classes)))
    logits[np.arange(count), codes] += 1.2
    odds = np.exp(logits)
    return np.where(rng.random(count) < missing, MISSING, codes), odds / odds.sum(axis=1, keepdims=True)


def evaluated(target, *, missing=0.0, ridge=None, seed=0):
    found = [predictions(label, seed + number, missing=missing) for number, label in enumerate(target.labels)]
    codes, probabilities = zip(*found)
    evidence = Evidence("set", "test", [f"s{number // 2}" for number in range(COUNT)], ridge=ridge)
    return evaluate_predictions(codes, probabilities, target=target, evidence=evidence, draws=40), codes, probabilities


@pytest.mark.parametrize("label", [GRADES, TYPES])
def test_scores_of_several_classes_agree_with_scikit_learn(label):
    codes, probabilities = predictions(label)
    weights, called = np.random.default_rng(1).integers(0, 4, (3, COUNT)), probabilities.argmax(axis=1)
    one_hot = np.eye(len(label.classes))[codes]
    expected = {
        "accuracy": lambda w: reference.accuracy_score(codes, called, sample_weight=w),
        "balanced_accuracy": lambda w: reference.balanced_accuracy_score(codes, called, sample_weight=w),
        "macro_f1": lambda w: reference.f1_score(codes, called, average="macro", sample_weight=w),
        "mcc": lambda w: reference.matthews_corrcoef(codes, called, sample_weight=w),
        "macro_auroc": lambda w: reference.roc_auc_score(codes, probabilities, multi_class="ovr", sample_weight=w),
        "macro_auprc": lambda w: reference.average_precision_score(one_hot, probabilities, sample_weight=w),
        "brier": lambda w: reference.brier_score_loss(codes, probabilities, scale_by_half=True, sample_weight=w),
        "quadratic_kappa": lambda w: reference.cohen_kappa_score(codes, called, weights="quadratic", sample_weight=w),
        "mean_absolute_error": lambda w: reference.mean_absolute_error(codes, called, sample_weight=w),
        "within_one_grade": lambda w: np.average(np.abs(codes - called) <= 1, weights=w),
    }
    scores = weighted_scores(WeightedPredictions(label.kind, codes, probabilities, weights=weights))
    of_grades = {"quadratic_kappa", "mean_absolute_error", "within_one_grade"}
    assert {*scores} - {"top_label_ece"} == {*expected} - (set() if label is GRADES else of_grades)
    for name in scores.keys() & expected.keys():
        assert scores[name] == pytest.approx([expected[name](row) for row in weights]), name


@pytest.mark.parametrize("seed", range(20))
def test_grade_scores_are_within_their_limits(seed):
    rng = np.random.default_rng(seed)
    codes, called = rng.integers(0, 1 + seed % 4, (2, int(rng.integers(2, 30))))
    scores = label_scores(codes, np.eye(4)[called], label=GRADES)
    for name, value in scores.items():
        low, high = METRICS[name].limits_of(4)
        assert value is None or low - 1e-12 <= value <= high + 1e-12, name
    assert (scores["quadratic_kappa"] is None) == (len(set(codes.tolist())) == 1)
    flipped = label_scores(3 - codes, np.eye(4)[3 - called], label=GRADES)
    assert flipped["mean_absolute_error"] == pytest.approx(scores["mean_absolute_error"])


def test_a_single_true_class_leaves_comparisons_undefined():
    probabilities = np.array([[0.1, 0.6, 0.3], [0.5, 0.3, 0.2]])
    scores = label_scores(np.array([1, 1]), probabilities, label=TYPES)
    undefined = {name for name, value in scores.items() if value is None}
    assert undefined == {"balanced_accuracy", "macro_f1", "mcc", "macro_auroc", "macro_auprc"}
    assert scores["accuracy"] == 0.5
    with_grades = label_scores(np.array([1, 1]), np.eye(4)[[1, 2]], label=GRADES)
    assert with_grades["quadratic_kappa"] is None
    assert (with_grades["mean_absolute_error"], with_grades["within_one_grade"]) == (0.5, 1.0)


def test_macro_scores_leave_out_classes_without_images():
    codes, probabilities = predictions(Label("x", "multi_class", tuple("abcd")))
    codes[codes == 3] = 0
    scores = label_scores(codes, probabilities, label=Label("x", "multi_class", tuple("abcd")))
    called = probabilities.argmax(axis=1)
    recalls = [(called == code)[codes == code].mean() for code in range(3)]
    assert scores["balanced_accuracy"] == pytest.approx(np.mean(recalls))


def test_missing_values_are_left_out_of_scores():
    codes, probabilities = predictions(GRADES, missing=0.3)
    known = codes != MISSING
    assert label_scores(codes, probabilities, label=GRADES) == label_scores(
        codes[known], probabilities[known], label=GRADES
    )
    with pytest.raises(ValueError, match="same images"):
        label_scores(np.full(3, MISSING), np.full((3, 4), 0.25), label=GRADES)


def test_scores_of_several_labels_are_means_and_named():
    found = [predictions(label, number) for number, label in enumerate(MIXED.labels)]
    codes, probabilities = zip(*found)
    scores = target_scores(codes, probabilities, target=MIXED)
    parts = [label_scores(*item, label=label) for item, label in zip(found, MIXED.labels)]
    assert scores["accuracy"] == pytest.approx(np.mean([part["accuracy"] for part in parts]))
    assert scores["auroc"] == parts[1]["auroc"] == scores["narrowing_auroc"]
    assert scores["grade_quadratic_kappa"] == parts[0]["quadratic_kappa"]
    assert mean_scores([{"auroc": None}, {"auroc": 0.5}]) == {"auroc": 0.5}


@pytest.mark.parametrize("label", [GRADES, TYPES])
def test_classes_of_a_label_are_evaluated_against_the_others(label):
    measured, (codes,), (probabilities,) = evaluated(Target(label.kind, (label,)))
    assert [part.label for part in measured.parts] == list(label.classes)
    called = probabilities.argmax(axis=1)
    assert np.array(measured.matrix).tolist() == reference.confusion_matrix(codes, called).tolist()
    for code, part in enumerate(measured.parts):
        assert part.scores["sensitivity"] == pytest.approx((called == code)[codes == code].mean())
        assert part.scores["auroc"] == pytest.approx(reference.roc_auc_score(codes == code, probabilities[:, code]))
        assert part.prevalence == pytest.approx((codes == code).mean())


def test_each_label_has_its_own_images_and_intervals():
    measured, codes, _ = evaluated(MIXED, missing=0.3)
    assert (measured.kind, measured.confusion, measured.matrix) == ("mixed", None, ())
    assert [part.label for part in measured.labels] == ["grade", "narrowing", "type"]
    for part, of_label in zip(measured.labels, codes):
        assert part.images == (of_label != MISSING).sum() == COUNT - part.missing
    assert measured.images == np.any([of_label != MISSING for of_label in codes], axis=0).sum()
    for name, value in measured.scores.items():
        low, high = measured.intervals[name]
        assert low <= value <= high, name
    positive = codes[1][codes[1] != MISSING] == NARROWING.positive_index
    assert measured.labels[1].prevalence == pytest.approx(positive.mean())


def test_a_label_without_values_is_left_out():
    codes, probabilities = zip(*(predictions(label) for label in MIXED.labels))
    evidence = Evidence("set", "test", range(COUNT))
    none = np.full(COUNT, MISSING)
    measured = evaluate_predictions([none, codes[1], none], probabilities, target=MIXED, evidence=evidence, draws=10)
    assert [part.label for part in measured.parts] == ["narrowing"]
    with pytest.raises(ValueError, match="No image of set"):
        evaluate_predictions([none] * 3, probabilities, target=MIXED, evidence=evidence)


@pytest.mark.parametrize("target", [Target("ordinal", (GRADES,)), MIXED], ids=lambda target: target.problem_type)
def test_json_round_trip(target):
    ridge = [np.zeros(COUNT, int)] * len(target.labels)
    measured, _, _ = evaluated(target, missing=0.1, ridge=ridge)
    assert Evaluation.from_dict(json.loads(json.dumps(measured.to_dict(), allow_nan=False))) == measured


@pytest.mark.parametrize(
    "changed", [{"kind": "binary"}, {"kind": "other"}, {"matrix": [[1, 2]]}, {"matrix": []}, {"missing": -1}]
)
def test_contradicting_numbers_of_classes_are_refused(changed):
    measured, _, _ = evaluated(Target("ordinal", (GRADES,)))
    content = {**measured.to_dict(), **changed}
    if changed == {"kind": "binary"}:
        content["confusion"] = {"tp": 1, "fp": 0, "tn": 0, "fn": 0}
    with pytest.raises(ValueError, match="Evaluate the model again"):
        Evaluation.from_dict(content)


def test_the_baseline_of_a_label_warns_from_the_chance_of_its_classes():
    codes, _ = predictions(GRADES)
    weak = np.where(np.random.default_rng(3).random(COUNT) < 0.4, codes, np.random.default_rng(4).integers(0, 4, COUNT))
    for ridge, warns in ((codes, True), (np.zeros(COUNT, int), False), (weak, True)):
        measured, _, _ = evaluated(Target("ordinal", (GRADES,)), ridge=[ridge])
        assert measured.thumbnail_ridge.chance == 0.25
        assert bool(measured.shortcut_warning) == warns
    assert "does not show that a model recognizes grade; a model must exceed" in measured.shortcut_warning


def test_an_interval_of_a_mean_draws_all_labels_together():
    rng = np.random.default_rng(0)
    codes, probabilities = predictions(NARROWING, count=400)
    sample = WeightedPredictions.binary(codes == 0, probabilities[:, 0])
    groups = np.arange(400) // 4
    one = cluster_bootstrap(sample, groups=groups, draws=300)["balanced_accuracy"]
    twice = bootstrap_of_means([sample, sample], groups=[groups, groups], draws=300)["balanced_accuracy"]
    assert twice == pytest.approx(one, abs=0.02), "labels that agree are no more certain than one"
    order = rng.permutation(400)
    other = WeightedPredictions.binary(codes[order] == 0, probabilities[order][:, 0])
    low, high = bootstrap_of_means([sample, other], groups=[groups, groups], draws=300)["balanced_accuracy"]
    assert high - low < 0.9 * (one[1] - one[0])


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_the_temperature_of_several_classes_undoes_a_wrong_scale(temperature):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (8000, 4))
    odds = np.exp(logits)
    drawn = (rng.random((8000, 1)) > np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    assert fit_temperature(logits * temperature, drawn) == pytest.approx(temperature, rel=0.06)
    assert fit_temperature(np.eye(4)[drawn], drawn) is None


def test_enough_sources_needs_two_frequent_classes():
    codes = np.r_[np.zeros(30, int), np.ones(30, int), [2]]
    assert enough_sources(codes, range(61))
    assert not enough_sources(np.where(codes == 1, 0, codes), range(61))


def test_folds_balance_labels_and_accept_rare_combinations():
    codes = [np.arange(60) % 3, np.where(np.arange(60) < 2, 1, 0)]
    fold = source_folds(codes, range(60), folds=4)
    for number in range(4):
        assert np.bincount(codes[0][fold == number], minlength=3).min() >= 4


def test_the_ridge_separates_several_classes_and_ignores_missing_ones():
    rng = np.random.default_rng(0)
    codes = np.arange(300) % 3
    features = rng.random((300, 30)) + np.eye(3)[codes].repeat(10, axis=1)
    known = np.where(np.arange(300) % 5 == 0, MISSING, codes)
    assert (thumbnail_ridge_calls(features[:200], known[:200], test=features[200:]) == codes[200:]).mean() > 0.9
    calls = fold_calls(features, known, fold=np.arange(300) % 4)
    assert (calls == codes).mean() > 0.9
    assert MISSING not in calls
    assert (thumbnail_ridge_calls(features[:3], np.array([2, 2, MISSING]), test=features) == 2).all()


def test_the_interval_of_a_mean_stays_within_the_limits():
    parts = [
        WeightedPredictions.binary(np.arange(size) < positives, np.where(np.arange(size)[::-1] < called, 0.9, 0.1))
        for size, positives, called in ((24, 12, 16), (12, 1, 2))
    ]
    intervals = bootstrap_of_means(parts, groups=[range(24), range(12)], draws=200)
    for name, (low, high) in intervals.items():
        assert METRICS[name].limits[0] <= low <= high <= METRICS[name].limits[1], name
