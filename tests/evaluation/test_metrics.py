from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from spinealign.evaluation.metrics import binary_scores, sensitivity_by_size

RNG = np.random.default_rng(0)
TRUTH = RNG.random(200) < 0.3
PROBABILITY = np.clip(0.35 * TRUTH + RNG.random(200) * 0.7, 0, 1)


def test_scores_agree_with_scikit_learn():
    scores, called = binary_scores(TRUTH, PROBABILITY), PROBABILITY >= 0.5
    assert scores.accuracy == pytest.approx(reference.accuracy_score(TRUTH, called))
    assert scores.sensitivity == pytest.approx(reference.recall_score(TRUTH, called))
    assert scores.specificity == pytest.approx(reference.recall_score(TRUTH, called, pos_label=False))
    assert scores.precision == pytest.approx(reference.precision_score(TRUTH, called))
    assert scores.f1 == pytest.approx(reference.f1_score(TRUTH, called))
    assert scores.auroc == pytest.approx(reference.roc_auc_score(TRUTH, PROBABILITY))


def test_a_score_that_the_images_do_not_define_is_none():
    no_findings = binary_scores(np.zeros(4, bool), np.zeros(4))
    assert (no_findings.sensitivity, no_findings.precision, no_findings.auroc) == (None, None, None)
    assert no_findings.specificity == 1.0
    assert binary_scores(np.ones(2, bool), np.ones(2)).specificity is None


@pytest.mark.parametrize(("truth", "probability"), [([True], [0.1, 0.2]), ([], [])])
def test_lists_that_do_not_fit_are_refused(truth, probability):
    with pytest.raises(ValueError, match="one length"):
        binary_scores(np.array(truth, bool), np.array(probability))


def test_sensitivity_rises_over_the_sizes_that_it_is_given():
    sizes = np.array([1.0, 1.5, 2.0, 2.5, 6.0])
    called = np.array([False, False, True, False, True])
    bins = sensitivity_by_size(sizes, called, edges_mm=(1, 2, 3, 5, 8))
    assert [(entry.from_mm, entry.count, entry.sensitivity) for entry in bins] == [
        (1, 2, 0.0),
        (2, 2, 0.5),
        (5, 1, 1.0),
    ]
