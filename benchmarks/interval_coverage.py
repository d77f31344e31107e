"""Measure the coverage of the 95 % intervals when images are copies of few sources.

    python benchmarks/interval_coverage.py

The log-odds of an image are the sum of a part that all copies of its source share and a part of the image; `likeness`
is the share of the first part in the variance, 1 if all copies are classified alike. The classes have equal size and
the errors are symmetric, so accuracy, sensitivity and specificity have the same true value, and the true AUROC is
known. Takes about a minute on two cores.
"""

from __future__ import annotations

import argparse
from statistics import NormalDist

import numpy as np

from spinealign.metrics.intervals import cluster_bootstrap

COPIES = 20
SCORES = ("accuracy", "sensitivity", "auroc")
NORMAL = NormalDist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=100, help="test sets per row (default: %(default)s)")
    parser.add_argument("--draws", type=int, default=200, help="bootstrap draws per interval (default: %(default)s)")
    options = parser.parse_args()
    print(f"coverage of the intervals, {COPIES} copies per source, {options.simulations} test sets per row\n")
    print(f"{'sources':>7}  {'likeness':>8}  {'accuracy':>8}  |{'over sources':^36}|{'naive, over images':^36}")
    print(f"{'':27}  |" + 2 * ("".join(f"{name:>12}" for name in SCORES) + "|"))
    for sources in (20, 40):
        for likeness in (1.0, 0.5):
            for accuracy in (0.80, 0.95, 0.99):
                row = coverage(
                    sources, likeness, accuracy=accuracy, simulations=options.simulations, draws=options.draws
                )
                cells = "|".join("".join(f"{row[unit][name]:12.1%}" for name in SCORES) for unit in row)
                print(f"{sources:7}  {likeness:8.1f}  {accuracy:8.0%}  |{cells}|")


def coverage(
    sources: int, likeness: float, *, accuracy: float, simulations: int, draws: int, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Return the coverage of the intervals over sources and over images for each score."""
    rng = np.random.default_rng(seed)
    source = np.repeat(np.arange(sources), COPIES)
    positive = source % 2 == 0
    distance = NORMAL.inv_cdf(accuracy)
    truth = {"accuracy": accuracy, "sensitivity": accuracy, "auroc": NORMAL.cdf(distance * np.sqrt(2))}
    units = {"sources": source, "images": np.arange(len(source))}
    covered = {unit: dict.fromkeys(SCORES, 0) for unit in units}
    for number in range(simulations):
        shared, own = rng.standard_normal(sources)[source], rng.standard_normal(len(source))
        noise = np.sqrt(likeness) * shared + np.sqrt(1 - likeness) * own
        probability = 1 / (1 + np.exp(-(np.where(positive, distance, -distance) + noise)))
        for unit, groups in units.items():
            intervals = cluster_bootstrap(positive, probability, groups=groups, draws=draws, seed=number)
            for name in SCORES:
                low, high = intervals[name] or (np.nan, np.nan)
                covered[unit][name] += bool(low <= truth[name] <= high)
    return {unit: {name: count / simulations for name, count in counts.items()} for unit, counts in covered.items()}


if __name__ == "__main__":
    main()
