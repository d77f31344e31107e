from __future__ import annotations

import numpy as np
import pytest
from conftest import evaluate_finding
from sklearn import metrics as reference

from spinealign.labels import KINDS
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.evidence import Evidence
from spinealign.metrics.registry import (
    CALIBRATION_BINS,
    METRICS,
    Metric,
    calibration_bin,
    format_interval,
    format_score,
    hub_name,
    percent,
    score_title,
    weighted_scores,
)
from spinealign.metrics.weighted import WeightedPredictions

RNG = np.random.default_rng(0)
POSITIVE = RNG.random(120) < 0.4
PROBABILITY = np.round(np.clip(0.3 * POSITIVE + 0.8 * RNG.random(120), 0, 1), 2)  # rounded, so that there are ties
WEIGHTS = RNG.integers(0, 4, (5, 120))


def weighted(weights=None, **changes):
    return weighted_scores(WeightedPredictions.binary(POSITIVE, PROBABILITY, weights=weights, **changes))


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.77])
def test_weighted_scores_agree_with_scikit_learn(threshold):
    scores = weighted(WEIGHTS, threshold=threshold)
    called = threshold <= PROBABILITY
    expected = {
        "accuracy": (reference.accuracy_score, called, {}),
        "sensitivity": (reference.recall_score, called, {}),
        "specificity": (reference.recall_score, called, {"pos_label": False}),
        "ppv": (reference.precision_score, called, {}),
        "npv": (reference.precision_score, called, {"pos_label": False}),
        "f1": (reference.f1_score, called, {}),
        "balanced_accuracy": (reference.balanced_accuracy_score, called, {}),
        "mcc": (reference.matthews_corrcoef, called, {}),
        "auroc": (reference.roc_auc_score, PROBABILITY, {}),
        "auprc": (reference.average_precision_score, PROBABILITY, {}),
        "brier": (reference.brier_score_loss, PROBABILITY, {}),
    }
    assert set(scores) == set(expected) | {"ece"}
    for name, (score, predicted, options) in expected.items():
        for row, weights in enumerate(WEIGHTS):
            value = score(POSITIVE, predicted, sample_weight=weights, **options)
            assert scores[name][row] == pytest.approx(value), name


@pytest.mark.parametrize(
    "name", [name for name, metric in METRICS.items() if metric.trials and "binary" in metric.kinds]
)
def test_a_share_is_the_share_of_right_images_of_its_trials(name):
    sample = WeightedPredictions.binary(POSITIVE, PROBABILITY, threshold=0.4)
    trials = METRICS[name].trials(sample)
    assert METRICS[name].function(sample)[0] == pytest.approx((sample.called == POSITIVE)[trials].mean())


def test_a_weight_has_the_effect_of_copies():
    copied = np.repeat(np.arange(120), WEIGHTS[0])
    copies = weighted_scores(WeightedPredictions.binary(POSITIVE[copied], PROBABILITY[copied]))
    for name, value in weighted(WEIGHTS[:1]).items():
        assert value == pytest.approx(copies[name]), name


def test_the_calibration_error_is_the_mean_gap_of_the_bins():
    gap = 0.0
    for number in range(CALIBRATION_BINS):
        inside = calibration_bin(PROBABILITY) == number
        if inside.any():
            gap += inside.mean() * abs(PROBABILITY[inside].mean() - POSITIVE[inside].mean())
    assert weighted()["ece"][0] == pytest.approx(gap)


def test_calibration_bins_have_equal_width():
    assert calibration_bin(np.array([0, 0.05, 0.08, 0.5, 0.999, 1])).tolist() == [0, 0, 1, 7, 14, 14]


def test_a_weighting_without_a_class_does_not_affect_others():
    weights = np.stack([POSITIVE.astype(float), np.ones(120)])
    scores = weighted(weights)
    for name in ("specificity", "balanced_accuracy", "mcc", "auroc", "auprc"):
        assert np.isnan(scores[name][0])
        assert np.isfinite(scores[name][1])


def test_a_metric_is_added_by_one_entry(monkeypatch):
    youden = Metric(
        "youden",
        "Youden's J",
        lambda p: (p.hits / p.true).sum(axis=1) - 1,
        kinds=("binary",),
        limits=(-1, 1),
        in_percent=True,
    )
    old = evaluate_finding(POSITIVE, PROBABILITY, evidence=Evidence("set", "val", range(120)), draws=50)
    monkeypatch.setitem(METRICS, "youden", youden)
    evidence = Evidence("set", "val", range(120), ridge=[POSITIVE.astype(int)])
    measured = evaluate_finding(POSITIVE, PROBABILITY, evidence=evidence, draws=50)
    expected = 2 * measured.scores["balanced_accuracy"] - 1
    assert measured.scores["youden"] == pytest.approx(expected)
    low, high = measured.intervals["youden"]
    assert low < expected < high
    assert measured.thumbnail_ridge.scores["youden"] == 1
    assert format_score("youden", 0.5) == "50.00 %"
    assert format_interval("youden", (0.25, 0.75)) == "25.0 to 75.0 %"
    assert score_title("youden") == "Youden's J"
    assert Evaluation.from_dict(measured.to_dict()) == measured
    assert Evaluation.from_dict(old.to_dict()).scores.get("youden") is None


def test_every_metric_has_a_name_on_the_hub():
    for kind in KINDS:
        names = [name for name, metric in METRICS.items() if kind in metric.kinds]
        assert len({hub_name(name) for name in names}) == len(names)
    assert (hub_name("accuracy"), hub_name("sensitivity"), hub_name("unknown")) == ("accuracy", "recall", "unknown")


def test_scores_are_formatted_by_their_entry():
    assert (format_score("accuracy", 0.9775), format_score("auroc", 0.9775)) == ("97.75 %", "0.9775")
    assert (format_interval("ppv", (0.5, 1.0)), format_interval("mcc", (-0.5, 1.0))) == (
        "50.0 to 100.0 %",
        "-0.500 to 1.000",
    )
    assert (percent(None), format_score("auroc", None), format_interval("auroc", None)) == ("-", "-", "-")
    assert (score_title("unknown"), format_score("unknown", 0.5)) == ("unknown", "0.5000")
