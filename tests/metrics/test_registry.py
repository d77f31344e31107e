from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from spinealign.metrics.registry import CALIBRATION_BINS, calibration_bin, weighted_scores

RNG = np.random.default_rng(0)
POSITIVE = RNG.random(120) < 0.4
PROBABILITY = np.round(np.clip(0.3 * POSITIVE + 0.8 * RNG.random(120), 0, 1), 2)  # rounded, so that there are ties
WEIGHTS = RNG.integers(0, 4, (5, 120))


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.77])
def test_each_weighting_has_the_scores_of_scikit_learn(threshold):
    scores = weighted_scores(POSITIVE, PROBABILITY, weights=WEIGHTS, threshold=threshold)
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
            assert scores[name][row] == pytest.approx(score(POSITIVE, predicted, sample_weight=weights, **options)), (
                name
            )


def test_a_weight_says_the_same_as_copies():
    copied = np.repeat(np.arange(120), WEIGHTS[0])
    weighted = weighted_scores(POSITIVE, PROBABILITY, weights=WEIGHTS[:1], threshold=0.5)
    copies = weighted_scores(POSITIVE[copied], PROBABILITY[copied], weights=np.ones((1, len(copied))), threshold=0.5)
    for name, value in weighted.items():
        assert value == pytest.approx(copies[name]), name


def test_the_calibration_error_is_the_mean_gap_of_the_bins():
    gap = 0.0
    for number in range(CALIBRATION_BINS):
        inside = calibration_bin(PROBABILITY) == number
        if inside.any():
            gap += inside.mean() * abs(PROBABILITY[inside].mean() - POSITIVE[inside].mean())
    computed = weighted_scores(POSITIVE, PROBABILITY, weights=np.ones((1, 120)), threshold=0.5)["ece"]
    assert computed[0] == pytest.approx(gap)


def test_the_bins_of_calibration_share_the_unit_interval():
    assert calibration_bin(np.array([0, 0.05, 0.08, 0.5, 0.999, 1])).tolist() == [0, 0, 1, 7, 14, 14]


def test_a_weighting_without_a_class_has_no_ranks_and_leaves_the_others_alone():
    weights = np.stack([POSITIVE.astype(float), np.ones(120)])
    scores = weighted_scores(POSITIVE, PROBABILITY, weights=weights, threshold=0.5)
    for name in ("specificity", "balanced_accuracy", "mcc", "auroc", "auprc"):
        assert np.isnan(scores[name][0])
        assert np.isfinite(scores[name][1])
