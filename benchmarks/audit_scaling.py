"""Run time of the audit for growing numbers of phantoms and for real images: tables of docs/performance.md.

    python benchmarks/audit_scaling.py --counts 1250 2500 5000 10000 20000 --phantoms build/audit-phantoms
    python benchmarks/audit_scaling.py --counts --data "../shared/data/cervical fracture"

Phantoms are drawn once (about 26 per second on two cores) and read from the folder afterwards. CPU seconds are printed
next to wall-clock seconds, because the machine may be busy with other work.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from spinealign.cohort.audit.auditing import audit
from spinealign.cohort.cohort import Cohort
from spinealign.cohort.duplicates.similarity import group_similar_images
from spinealign.cohort.image_store import subset
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import read_cohort
from spinealign.config import MANIFEST_FILE
from spinealign.phantoms.phantom_set import write_phantoms
from spinealign.reporting.tables import Table

FIRST_SEED = 30_000_000
Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--counts", type=int, nargs="*", default=[1250, 2500, 5000, 10000, 20000], help="counts of phantoms"
    )
    parser.add_argument("--phantoms", type=Path, default=Path("build/audit-phantoms"), help="folder of the phantoms")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="collections to audit")
    options = parser.parse_args()
    if options.counts:
        time_phantoms(options.phantoms, sorted(options.counts))
    for data in options.data:
        findings, clock, processor = timed(lambda data=data: audit(data))
        print(
            f"\n{findings.name}: {findings.images:,} images, {findings.sources:,} sources, "
            f"{clock:.1f} s ({processor:.1f} CPU s)"
        )


def time_phantoms(folder: Path, counts: list[int]) -> None:
    if not (folder / MANIFEST_FILE).exists():
        write_phantoms(folder, {"train": counts[-1]}, seed=FIRST_SEED, size=224)
    cohort = index_cohort(folder)
    if len(cohort) < counts[-1]:
        raise SystemExit(f"{folder} has {len(cohort)} phantoms; choose a new folder for {counts[-1]}.")
    gray = read_cohort(Cohort(cohort.name, cohort.samples[: counts[-1]])).looks
    rows = []
    for count in counts:
        groups, clock, processor = timed(lambda count=count: group_similar_images(subset(gray, range(count))))
        joined = count - len(set(groups.tolist()))
        rows.append((f"{count:,}", f"{clock:.1f}", f"{processor:.1f}", f"{1000 * processor / count:.2f}", joined))
    head = ("phantoms", "seconds", "CPU seconds", "CPU milliseconds per phantom", "false duplicates")
    print(Table(head, rows, numbers=range(5)).markdown())


def timed(work: Callable[[], Result]) -> tuple[Result, float, float]:
    """Return the result, the wall-clock seconds and the CPU seconds."""
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - clock, time.process_time() - processor


if __name__ == "__main__":
    main()
