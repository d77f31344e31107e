"""Memory and time of a whole job for growing collections: table of docs/performance.md.

    python benchmarks/collection_memory.py --counts 2000 20000 --phantoms build/audit-phantoms

The job indexes phantoms of 224 pixels, reads, audits and splits them, trains a linear model on thumbnails for an
epoch with augmentation and evaluates it; then the checkpoint is evaluated again with `spinealign evaluate`. The
memory is the peak of what the process has to itself (RssAnon of Linux), without the pages of files, which the system
takes back if it needs memory; these are printed beside it. The base is the peak for 200 images.

Phantoms are drawn once (about 26 per second on two cores), unless the folders have enough.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from spinealign.cohort.indexing import index_cohort
from spinealign.phantoms.phantom_set import write_phantoms
from spinealign.reporting.tables import Table

FIRST_SEED, BASE, LARGE = 30_000_000, 200, 200_000
PROGRAM = "import sys; from spinealign.cli import main; sys.exit(main())"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs=2, default=[2000, 20000], metavar="N", help="sizes to compare")
    parser.add_argument(
        "--phantoms", type=Path, nargs="+", default=[Path("build/audit-phantoms")], help="folders of phantoms"
    )
    options = parser.parse_args()
    if not options.phantoms[0].exists():
        write_phantoms(options.phantoms[0], {"train": max(options.counts)}, seed=FIRST_SEED, size=224)
    images = [(os.path.abspath(item.image), item.label) for folder in options.phantoms for item in index_cohort(folder)]
    if len(images) < max(options.counts):
        raise SystemExit(f"There are {len(images)} phantoms, fewer than {max(options.counts)}; name a new folder.")
    base, *found = (measure(images[:count]) for count in (BASE, *sorted(options.counts)))
    rows = [
        (f"{count:,}", *(f"{part:,.0f}" for part in measured), f"{1000 * each[0]:.1f}", f"{each[1]:.1f}")
        for count, measured in zip(sorted(options.counts), found)
        if (each := per_image(count, measured, base))
    ]
    header = ("images", "peak MiB", "file pages MiB", "wall s", "CPU s", "KiB / image", "CPU ms / image")
    print(Table(header, rows, numbers=tuple(range(7))).text())
    small, large = (per_image(count, measured, base) for count, measured in zip(sorted(options.counts), found))
    print(f"large / small, per image: memory {large[0] / small[0]:.2f}, CPU {large[1] / small[1]:.2f}")
    few, many = sorted(options.counts)
    growth = (found[1][0] - found[0][0]) / (many - few)  # MiB per image
    peak = (found[1][0] + (LARGE - many) * growth) / 1024  # MiB to GiB
    print(f"base {base[0]:,.0f} MiB; from {few:,} images on {1024 * growth:.1f} KiB more per image")
    print(f"{LARGE:,} images, extrapolated: {peak:.2f} GiB")


def per_image(count: int, measured: tuple[float, ...], base: tuple[float, ...]) -> tuple[float, float]:
    """Return MiB and CPU milliseconds per image beyond the base."""
    return (measured[0] - base[0]) / (count - BASE), 1000 * (measured[3] - base[3]) / (count - BASE)


def measure(images: list[tuple[str, str]]) -> tuple[float, float, float, float]:
    """Return the peaks of private memory and file pages in MiB, the wall-clock seconds and the processor seconds."""
    with tempfile.TemporaryDirectory() as folder:
        splits = ("train", "train", "train", "val", "test")
        rows = [f"{path},{label},{splits[place // 2 % 5]}" for place, (path, label) in enumerate(images)]
        manifest = Path(folder) / "manifest.csv"
        manifest.write_text("\n".join(["path,label,split", *rows]) + "\n", encoding="utf-8")
        model = str(Path(folder) / "model")
        jobs = [
            f"train --data_dir {manifest} --output_dir {model} --backbone thumbnail_ridge --from_scratch True "
            "--num_train_epochs 1 --use_cpu --disable_tqdm True --report_to none",
            f"evaluate {manifest} --model {model}",
        ]
        started, before = time.monotonic(), processor_seconds()
        peaks = [watch(job.split()) for job in jobs]
        private, pages = (max(part) for part in zip(*peaks))
        return private, pages, time.monotonic() - started, processor_seconds() - before


def watch(words: list[str]) -> tuple[float, float]:
    """Run a command and return the peaks of its private memory and its file pages in MiB."""
    peaks = [0.0, 0.0]
    with subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            for place, name in enumerate(("RssAnon", "RssFile")):
                if found := re.search(rf"{name}:\s+(\d+) kB", status):
                    peaks[place] = max(peaks[place], int(found[1]) / 1024)
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"spinealign {words[0]} failed; see above.")
    return peaks[0], peaks[1]


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
