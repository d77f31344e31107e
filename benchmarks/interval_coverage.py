"""Measure the coverage of the 95 % intervals when images are copies of few sources.

    python benchmarks/interval_coverage.py

The log-odds of an image are the sum of a part that all copies of its source share and a part of the image; `likeness`
is the share of the first part in the variance, 1 if all copies are classified alike. The classes have equal size and
the errors are symmetric, so accuracy, sensitivity and balanced accuracy have the same true value, and those of MCC and
AUROC are known. Grades are predicted as the true grade plus such a sum, rounded; their true scores are those of a
million independent images. Prints two Markdown tables; takes about two minutes on two idle cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from spinealign.metrics.intervals import cluster_bootstrap
from spinealign.metrics.registry import score_title
from spinealign.metrics.scores import scores_of
from spinealign.metrics.weighted import WeightedPredictions
from spinealign.reporting.tables import Table

COPIES = 20
GRADES = 4
GRADE_SCORES = ("quadratic_kappa", "mean_absolute_error", "within_one_grade", "accuracy", "macro_f1")
NORMAL = NormalDist()
Predict = Callable[[NDArray[np.int64], NDArray[np.float64]], WeightedPredictions]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=100, help="test sets per row (default: %(default)s)")
    parser.add_argument("--draws", type=int, default=200, help="bootstrap draws per interval (default: %(default)s)")
    options = parser.parse_args()
    classes = {
        f"{accuracy:.0%}": (class_scores(accuracy), predict_classes(accuracy)) for accuracy in (0.80, 0.95, 0.99)
    }
    grades = {}
    for spread in (0.9, 0.6, 0.3):
        truth = grade_scores(spread)
        grades[f"{truth['quadratic_kappa']:.2f}"] = truth, predict_grades(spread)
    for what, cases in (("true accuracy", classes), ("true kappa", grades)):
        rows = []
        for sources, likeness, (name, (truth, predict)) in product((20, 80), (1.0, 0.5), cases.items()):
            shares = coverage(
                sources, likeness, truth=truth, predict=predict, simulations=options.simulations, draws=options.draws
            )
            rows.append((sources, likeness, name, *(f"{share:.0%}" for share in shares)))
        first, *titles = map(score_title, truth)
        head = ("sources", "likeness", what, f"over sources: {first}", *titles, f"naive: {first}")
        print(f"{Table(head, rows, numbers=range(len(head))).markdown()}\n")


def coverage(
    sources: int, likeness: float, *, truth: dict[str, float], predict: Predict, simulations: int, draws: int
) -> list[float]:
    """Return the coverage of the intervals over sources for each score, and of the naive interval of the first."""
    rng = np.random.default_rng(0)
    source = np.repeat(np.arange(sources), COPIES)
    covered = np.zeros(len(truth) + 1)
    for number in range(simulations):
        shared, own = rng.standard_normal(sources)[source], rng.standard_normal(len(source))
        predictions = predict(source, np.sqrt(likeness) * shared + np.sqrt(1 - likeness) * own)
        over_sources, naive = (
            cluster_bootstrap(predictions, groups=groups, draws=draws, seed=number)
            for groups in (source, range(len(source)))
        )
        first = next(iter(truth))
        found = [(over_sources[name], value) for name, value in truth.items()] + [(naive[first], truth[first])]
        covered += [interval is not None and interval[0] <= value <= interval[1] for interval, value in found]
    return list(covered / simulations)


def class_scores(accuracy: float) -> dict[str, float]:
    distance = NORMAL.inv_cdf(accuracy)
    equal = dict.fromkeys(("accuracy", "sensitivity", "balanced_accuracy"), accuracy)
    return {**equal, "mcc": 2 * accuracy - 1, "auroc": NORMAL.cdf(distance * np.sqrt(2))}


def predict_classes(accuracy: float) -> Predict:
    distance = NORMAL.inv_cdf(accuracy)

    def predict(source: NDArray[np.int64], noise: NDArray[np.float64]) -> WeightedPredictions:
        positive = source % 2 == 0
        return WeightedPredictions.binary(positive, 1 / (1 + np.exp(-np.where(positive, distance, -distance) - noise)))

    return predict


def predict_grades(spread: float) -> Predict:
    return lambda source, noise: predicted_grades(source % GRADES, spread * noise)


def grade_scores(spread: float) -> dict[str, float]:
    """Return the scores of many independent images."""
    codes = np.arange(1_000_000) % GRADES
    noise = np.random.default_rng(1).standard_normal(len(codes))
    scores = scores_of(predicted_grades(codes, spread * noise))
    return {name: scores[name] or 0.0 for name in GRADE_SCORES}


def predicted_grades(codes: NDArray[np.int64], error: NDArray[np.float64]) -> WeightedPredictions:
    called = np.clip(np.rint(codes + error), 0, GRADES - 1).astype(int)
    return WeightedPredictions("ordinal", codes, np.eye(GRADES)[called])


if __name__ == "__main__":
    main()
