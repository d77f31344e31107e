from __future__ import annotations

import json

import numpy as np
import pytest

from spinealign.labels import binary_target
from spinealign.metrics.evidence import Evidence
from spinealign.metrics.folds import CrossValidation, source_folds
from spinealign.serialization import rebuild

SOURCES = np.repeat(np.arange(30), 7)
POSITIVE = (SOURCES % 3 == 0).astype(int)
TARGET = binary_target("normal", "fracture")


def test_a_source_is_in_one_fold_and_folds_have_both_classes():
    fold = source_folds([POSITIVE], SOURCES.tolist(), folds=5)
    assert sorted(np.unique(fold)) == [0, 1, 2, 3, 4]
    assert all(len(set(fold[source == SOURCES])) == 1 for source in range(30))
    for number in range(5):
        assert 0 < POSITIVE[fold == number].mean() < 1


def test_the_seed_decides_the_folds():
    first, again, other = (source_folds([POSITIVE], SOURCES.tolist(), seed=seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize(("folds", "reason"), [(11, "got 11 folds and 10.*fewer"), (1, "at least 2 folds")])
def test_an_impossible_number_of_folds_is_refused(folds, reason):
    with pytest.raises(ValueError, match=reason):
        source_folds([POSITIVE], SOURCES.tolist(), folds=folds)


@pytest.fixture(scope="module")
def result():
    probability = np.where(POSITIVE == 1, 0.9, 0.1)
    probability[SOURCES == 0] = 0.3  # one source is misclassified
    fold = SOURCES % 2
    evidence = Evidence("set", "all", SOURCES.tolist(), ridge=[POSITIVE])
    both = np.stack([1 - probability, probability], axis=1)
    return CrossValidation.of([POSITIVE], [both], target=TARGET, fold=fold, evidence=evidence, thresholds=[0.4])


def test_each_fold_and_all_of_them_are_evaluated(result):
    assert [item.split for item in result.folds] == ["fold 1", "fold 2"]
    assert [item.sources for item in result.folds] == [15, 15]
    assert [item.scores["accuracy"] for item in result.folds] == pytest.approx([14 / 15, 1])
    assert (result.pooled.images, result.pooled.sources, result.pooled.threshold) == (210, 30, 0.4)
    assert result.pooled.scores["accuracy"] == pytest.approx(29 / 30)
    assert result.pooled.thumbnail_ridge_accuracy == 1


def test_the_spread_is_that_over_folds(result):
    mean, deviation = result.mean_and_deviation("accuracy")
    assert mean == pytest.approx(29 / 30)
    assert deviation == pytest.approx(np.std([14 / 15, 1], ddof=1))


def test_a_score_that_no_fold_defines_has_no_mean():
    evidence = Evidence("set", "all", ["a", "b", "c", "d"])
    both = np.tile([1.0, 0.0], (4, 1))
    result = CrossValidation.of(
        [np.zeros(4, int)], [both], target=TARGET, fold=np.array([0, 0, 1, 1]), evidence=evidence
    )
    assert result.mean_and_deviation("auroc") == (None, None)


def test_json_round_trip(result):
    assert rebuild(CrossValidation, json.loads(json.dumps(result.to_dict(), allow_nan=False))) == result


def test_a_damaged_file_is_a_value_error(result):
    for damaged in ({}, None, {**result.to_dict(), "folds": [{}]}):
        with pytest.raises(ValueError, match=r"missing|expected"):
            rebuild(CrossValidation, damaged)
