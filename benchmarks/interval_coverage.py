"""Measure how often the 95 % intervals hold the truth when images are copies of few sources.

    python benchmarks/interval_coverage.py

The log-odds of an image have a part that all copies of its source share; `likeness` is its share of the variance, 1
where all copies get one call. The classes are of one size and the errors symmetric, so accuracy, sensitivity and
specificity have one true value, and that of the AUROC is known too. About a minute on two cores.
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
    parser.add_argument("--simulations", type=int, default=100, help="simulated test sets a row (default: %(default)s)")
    parser.add_argument("--draws", type=int, default=200, help="bootstrap draws an interval (default: %(default)s)")
    options = parser.parse_args()
    print(f"share of intervals that hold the truth, {COPIES} copies a source, {options.simulations} test sets a row\n")
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
    """Return the share of intervals that hold the truth, over sources and over images, for each score."""
    rng = np.random.default_rng(seed)
    source = np.repeat(np.arange(sources), COPIES)
    positive = source % 2 == 0
    distance = NORMAL.inv_cdf(accuracy)
    truth = {"accuracy": accuracy, "sensitivity": accuracy, "auroc": NORMAL.cdf(distance * np.sqrt(2))}
    units = {"sources": source, "images": np.arange(len(source))}
    held = {unit: dict.fromkeys(SCORES, 0) for unit in units}
    for number in range(simulations):
        shared, own = rng.standard_normal(sources)[source], rng.standard_normal(len(source))
        noise = np.sqrt(likeness) * shared + np.sqrt(1 - likeness) * own
        probability = 1 / (1 + np.exp(-(np.where(positive, distance, -distance) + noise)))
        for unit, groups in units.items():
            intervals = cluster_bootstrap(positive, probability, groups=groups, draws=draws, seed=number)
            for name in SCORES:
                low, high = intervals[name] or (np.nan, np.nan)
                held[unit][name] += bool(low <= truth[name] <= high)
    return {unit: {name: count / simulations for name, count in counts.items()} for unit, counts in held.items()}


if __name__ == "__main__":
    main()
