from __future__ import annotations

import numpy as np

from spinealign.cohort.audit.suspects import class_probabilities, likely_wrong, off_topic
from spinealign.metrics.folds import source_folds

RANDOM = np.random.default_rng(0)
NAMES = [f"{number}" for number in range(200)]


def test_suspects_are_the_planted_wrong_labels():
    truth = np.arange(200) % 4 % 3
    features = np.tile(np.eye(3)[truth], 20) + RANDOM.normal(size=(200, 60))
    given = truth.copy()
    planted = RANDOM.choice(200, 10, replace=False)
    given[planted] = (truth[planted] + 1) % 3
    fold = source_folds([given], NAMES)
    probabilities = class_probabilities(features, given, fold=fold)
    found = likely_wrong(probabilities, given, classes=("a", "b", "c"), names=NAMES, sources=NAMES, label="kind")
    first = [int(item.name) for item in found]
    assert len(found) >= 3
    assert set(first) <= set(planted.tolist())
    assert [item.proposed for item in found] == ["abc"[truth[number]] for number in first]


def test_copies_of_a_source_are_one_suspect():
    probabilities = np.array([[0.1, 0.9]] * 4 + [[0.9, 0.1]] * 6)
    codes = np.array([0, 0, 1, 1, 0, 0, 0, 0, 0, 0])
    sources = ["wrong", "wrong", "right", "right", *"abcdef"]
    found = likely_wrong(probabilities, codes, classes=("a", "b"), names=list("0123456789"), sources=sources, label="x")
    assert [(item.name, item.given, item.proposed) for item in found] == [("0", "a", "b")]


def test_alike_foreign_images_are_off_topic():
    features = RANDOM.normal(size=(206, 20))
    features[200:] += 12
    found = off_topic(features, names=[*NAMES, *"abcdef"], sources=[*NAMES, *"abcdef"])
    assert {item.name for item in found} == set("abcdef")


def test_images_of_one_kind_are_on_topic():
    assert off_topic(RANDOM.normal(size=(200, 20)), names=NAMES, sources=NAMES) == ()
    assert off_topic(RANDOM.normal(size=(5, 20)), names=NAMES[:5], sources=NAMES[:5]) == ()
