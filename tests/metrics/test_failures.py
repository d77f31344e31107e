from __future__ import annotations

import numpy as np

from spinealign.metrics import failures

POSITIVE = np.array([True, True, True, False, False, False])
PROBABILITY = np.array([0.95, 0.10, 0.55, 0.70, 0.05, 0.40])


def worst_cases(positive, probability, *, threshold=0.5, **options):
    both, called = np.stack([1 - probability, probability], axis=1), (probability >= threshold).astype(int)
    margin = np.abs(probability - threshold)
    return failures.worst_cases(positive.astype(int), both, called=called, margin=margin, **options)


def test_errors_come_first_by_loss_then_the_least_certain():
    assert worst_cases(POSITIVE, PROBABILITY, sources=range(6)).tolist() == [1, 3, 2, 5, 0, 4]


def test_the_threshold_decides_which_images_are_errors():
    assert worst_cases(POSITIVE, PROBABILITY, sources=range(6), threshold=0.3, count=3).tolist() == [1, 3, 5]


def test_copies_of_one_source_do_not_fill_the_list():
    positive, probability = np.ones(10, bool), np.linspace(0, 0.4, 10)
    chosen = worst_cases(positive, probability, sources=["a"] * 8 + ["b", "b"], count=5)
    assert chosen.tolist() == [0, 1, 8, 9]


def test_no_more_cases_are_returned_than_were_asked_for():
    assert worst_cases(POSITIVE, PROBABILITY, sources=range(6), count=2).tolist() == [1, 3]
