from __future__ import annotations

import numpy as np
import pytest

from spinealign.metrics.scores import SizeBin, scores_of, sensitivity_by_size
from spinealign.metrics.weighted import WeightedPredictions


def binary_scores(positive, probability):
    return scores_of(WeightedPredictions.binary(positive, probability))


@pytest.mark.parametrize(
    ("truth", "probability", "undefined"),
    [
        ([0, 0, 0], [0.1, 0.2, 0.9], "sensitivity ppv npv f1 balanced_accuracy mcc auroc auprc"),
        ([0, 0], [0.1, 0.2], "sensitivity ppv npv f1 balanced_accuracy mcc auroc auprc"),
        ([1, 1], [0.6, 0.8], "specificity ppv npv f1 balanced_accuracy mcc auroc auprc"),
        ([0, 1], [0.1, 0.2], "ppv mcc"),
        ([0, 1], [0.5, 0.5], "npv mcc"),
        ([0, 1], [0.1, 0.9], ""),
    ],
)
def test_an_undefined_score_is_none(truth, probability, undefined):
    scores = binary_scores(np.array(truth, bool), np.array(probability))
    assert {name for name, value in scores.items() if value is None} == set(undefined.split())


def test_the_ece_is_small_only_for_calibrated_probabilities():
    rng = np.random.default_rng(0)
    probability = rng.random(20_000)
    positive = rng.random(20_000) < probability
    assert binary_scores(positive, probability)["ece"] < 0.02
    assert binary_scores(~positive, probability)["ece"] > 0.4


@pytest.mark.parametrize(
    ("truth", "probability", "reason"),
    [
        ([True], [0.1, 0.2], "same images"),
        ([], [], "same images"),
        ([True], [1.5], "not logits"),
        ([True], [float("nan")], "not logits"),
    ],
)
def test_invalid_lists_are_refused(truth, probability, reason):
    with pytest.raises(ValueError, match=reason):
        binary_scores(np.array(truth, bool), np.array(probability))


def test_sensitivity_is_computed_for_each_bin_of_sizes():
    sizes = np.array([1.0, 1.5, 2.0, 2.5, 30.0, np.nan])
    called = np.array([False, False, True, False, True, True])
    bins = sensitivity_by_size(sizes, called)
    assert bins == (SizeBin(1, 2, 2, 0.0), SizeBin(2, 3, 2, 0.5), SizeBin(8, None, 1, 1.0))
