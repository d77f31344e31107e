"""Accuracy of the duplicate search without file names, against a manifest: a table of docs/performance.md.

    python benchmarks/audit_recall.py --data ../shared/data

The images are shuffled and grouped by their pixels only. The manifest gives series, slice and variant.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.duplicates.similarity import group_similar_images
from spinealign.cohort.loading import read_cohort
from spinealign.reporting.tables import Table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with 'cervical fracture.manifest.csv'")
    parser.add_argument("--seed", type=int, default=9, help="seed of the order (default: %(default)s)")
    options = parser.parse_args()
    with (options.data / "cervical fracture.manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    samples = tuple(
        Sample(str(options.data / row["path"]), row["label"], row["path"], name=row["path"]) for row in rows
    )
    gray = read_cohort(Cohort("cervical fracture", samples)).looks
    scans = numbered([row["series"] for row in rows])
    slices = numbered([f"{row['series']} {row['slice']}" for row in rows])
    sharpened = np.array(["sharpened" in row["variant"] for row in rows])
    order = np.random.default_rng(options.seed).permutation(len(rows))
    subsets = {"all": order, **{f"a random 1/{part}": order[: len(order) // part] for part in (2, 4, 10)}}
    even = np.array([int(row["slice"]) % 2 == 0 for row in rows])
    subsets["even slices only sharpened, odd ones only plain"] = order[(sharpened == even)[order]]
    head = ("images", "pairs of one slice in one group", "pairs in a group of one slice", "of one series")
    lines = []
    for name, chosen in subsets.items():
        together = pairs(group_similar_images(gray[chosen]))
        one_slice, one_scan = pairs(slices[chosen]), pairs(scans[chosen])
        shares = (
            (together & one_slice).sum() / one_slice.sum(),
            (together & one_slice).sum() / together.sum(),
            (together & one_scan).sum() / together.sum(),
        )
        lines.append((f"{name} ({len(chosen):,})", *(f"{share:.1%}" for share in shares)))
    print(Table(head, lines, numbers=(1, 2, 3)).markdown())


def numbered(names: list[str]) -> NDArray[np.intp]:
    return np.unique(names, return_inverse=True)[1]


def pairs(groups: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return whether each pair of images is in one group."""
    return (groups[:, None] == groups)[np.triu_indices(len(groups), 1)]


if __name__ == "__main__":
    main()
