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
SCORES = ("accuracy", "sensitivity", "balanced_accuracy", "mcc", "auroc")
NORMAL = NormalDist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=100, help="test sets per row (default: %(default)s)")
    parser.add_argument("--draws", type=int, default=200, help="bootstrap draws per interval (default: %(default)s)")
    options = parser.parse_args()
    titles = [score_title(name) for name in SCORES]
    head = ("sources", "likeness", "true accuracy", f"over sources: {titles[0]}", *titles[1:], f"naive: {titles[0]}")
    rows = []
    for sources in (20, 80):
        for likeness in (1.0, 0.5):
            for accuracy in (0.80, 0.95, 0.99):
                row = coverage(
                    sources, likeness, accuracy=accuracy, simulations=options.simulations, draws=options.draws
                )
                rows.append((sources, likeness, f"{accuracy:.0%}", *(f"{share:.0%}" for share in row)))
    print(Table(head, rows, numbers=range(len(head))).markdown())
    titles = [score_title(name) for name in GRADE_SCORES]
    head = ("sources", "likeness", "true kappa", f"over sources: {titles[0]}", *titles[1:], f"naive: {titles[0]}")
    rows = []
    for sources in (20, 80):
        for likeness in (1.0, 0.5):
            for spread in (0.9, 0.6, 0.3):
                truth = grade_scores(spread)
                row = grade_coverage(
                    sources, likeness, spread=spread, truth=truth, simulations=options.simulations, draws=options.draws
                )
                kappa = f"{truth['quadratic_kappa']:.2f}"
                rows.append((sources, likeness, kappa, *(f"{share:.0%}" for share in row)))
    print(f"\n{Table(head, rows, numbers=range(len(head))).markdown()}")


def coverage(
    sources: int, likeness: float, *, accuracy: float, simulations: int, draws: int, seed: int = 0
) -> list[float]:
    """Return the coverage of the intervals over sources for each score, and of the naive interval of the accuracy."""
    rng = np.random.default_rng(seed)
    source = np.repeat(np.arange(sources), COPIES)
    positive = source % 2 == 0
    distance = NORMAL.inv_cdf(accuracy)
    truth = {**dict.fromkeys(SCORES, accuracy), "mcc": 2 * accuracy - 1, "auroc": NORMAL.cdf(distance * np.sqrt(2))}
    covered = np.zeros(len(SCORES) + 1)
    for number in range(simulations):
        shared, own = rng.standard_normal(sources)[source], rng.standard_normal(len(source))
        noise = np.sqrt(likeness) * shared + np.sqrt(1 - likeness) * own
        probability = 1 / (1 + np.exp(-(np.where(positive, distance, -distance) + noise)))
        over_sources, naive = (
            cluster_bootstrap(
                WeightedPredictions.binary(positive, probability), groups=groups, draws=draws, seed=number
            )
            for groups in (source, range(len(source)))
        )
        found = [(over_sources[name], truth[name]) for name in SCORES] + [(naive["accuracy"], accuracy)]
        covered += [interval is not None and interval[0] <= value <= interval[1] for interval, value in found]
    return list(covered / simulations)


def grade_coverage(
    sources: int, likeness: float, *, spread: float, truth: dict[str, float], simulations: int, draws: int
) -> list[float]:
    """Return the coverage of the intervals over sources for each grade score, and of the naive interval of kappa."""
    rng = np.random.default_rng(0)
    source = np.repeat(np.arange(sources), COPIES)
    codes = source % GRADES
    covered = np.zeros(len(GRADE_SCORES) + 1)
    for number in range(simulations):
        shared, own = rng.standard_normal(sources)[source], rng.standard_normal(len(source))
        noise = np.sqrt(likeness) * shared + np.sqrt(1 - likeness) * own
        predictions = predicted_grades(codes, spread * noise)
        over_sources, naive = (
            cluster_bootstrap(predictions, groups=groups, draws=draws, seed=number)
            for groups in (source, range(len(source)))
        )
        found = [(over_sources[name], truth[name]) for name in GRADE_SCORES]
        found.append((naive["quadratic_kappa"], truth["quadratic_kappa"]))
        covered += [interval is not None and interval[0] <= value <= interval[1] for interval, value in found]
    return list(covered / simulations)


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
