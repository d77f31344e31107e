"""Recall, false joins and speed of the search for copies: tables of docs/performance.md.

    python benchmarks/audit_copies.py --data ../shared/data --phantoms FOLDER FOLDER --counts 1000 20000

The copies of the real collection are known by its manifest. Cropped, shifted and enlarged copies are made from one
random variant of each slice, several times. All images are read from files, in random order and without their names.
`spinealign phantoms` draws phantoms: `spinealign phantoms build/phantoms --train 20000`.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.cohort.audit.auditing import audit
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.duplicates.crops import SAME, find_crops
from spinealign.cohort.duplicates.similarity import group_similar_images
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import read_cohort
from spinealign.reporting.tables import Table

Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with 'cervical fracture.manifest.csv'")
    parser.add_argument("--rounds", type=int, default=5, help="copies of a kind of each slice (default: %(default)s)")
    parser.add_argument(
        "--slices",
        choices=("all", "even", "odd"),
        default="odd",
        help="slices to copy; the limits were set on even ones",
    )
    parser.add_argument("--phantoms", type=Path, nargs="*", default=[], help="folders of phantoms")
    parser.add_argument("--counts", type=int, nargs="*", default=[1000], help="counts of phantoms")
    parser.add_argument("--seed", type=int, default=9, help="seed (default: %(default)s)")
    options = parser.parse_args()
    if options.data:
        with (options.data / "cervical fracture.manifest.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        kept = [row for row in rows if options.slices == "all" or int(row["slice"]) % 2 == (options.slices == "odd")]
        print(recall_of_crops(options.data, kept, rounds=options.rounds, seed=options.seed).markdown(), end="\n\n")
        print(recall_of_variants(options.data, rows, seed=options.seed).markdown(), end="\n\n")
    if options.phantoms:
        found = [index_cohort(folder) for folder in options.phantoms]
        samples = tuple(sample for cohort in found for sample in cohort)
        print(speed(samples, sorted(options.counts)).markdown())


def cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Crop to 80 % of the rows and columns, at a random place."""
    width, height = (round(0.8 * side) for side in image.size)
    left, top = random.integers(0, (image.width - width + 1, image.height - height + 1)).tolist()
    return image.crop((left, top, left + width, top + height))


def shifted(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Shift by 2 to 12 % of the side in each direction."""
    left, top = (np.array(image.size) * random.uniform(0.02, 0.12, 2) * random.choice((-1, 1), 2)).astype(int).tolist()
    canvas = Image.new("L", image.size)
    canvas.paste(image, (left, top))
    return canvas


def enlarged(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Place at random on a black canvas of 110 to 140 % of the side."""
    width, height = (round(side * random.uniform(1.1, 1.4)) for side in image.size)
    width = height = max(width, height)
    canvas = Image.new("L", (width, height))
    canvas.paste(image, tuple(random.integers(0, (width - image.width + 1, height - image.height + 1)).tolist()))
    return canvas


KINDS = {"cropped to 80 %": cropped, "shifted": shifted, "on a larger canvas": enlarged}


def recall_of_crops(data: Path, rows: list[dict[str, str]], *, rounds: int, seed: int) -> Table:
    """Return the share of copies that join the group of their slice and no other, by kind."""
    random = np.random.default_rng(seed)
    variants: dict[str, list[Path]] = {}
    for row in rows:
        variants.setdefault(row["variant"], []).append(data / row["path"])
    lines = []
    for name, change in KINDS.items():
        for re_encoded in (False, True):
            outcomes: list[tuple[bool, bool]] = []
            for _ in range(rounds):
                paths = variants[random.choice(sorted(variants))]
                copies = [
                    encoded(change(Image.open(path).convert("L"), random), small_jpeg=re_encoded) for path in paths
                ]
                groups = grouped([path.read_bytes() for path in paths] + copies, seed=seed).reshape(2, -1)
                unmixed = [(groups == group).sum() <= 2 for group in groups[0]]
                outcomes += zip(groups[0] == groups[1], unmixed)
            found, unmixed = np.array(outcomes).T
            file = "JPEG of 224 pixels" if re_encoded else "PNG"
            lines.append((name, file, len(found), f"{found.mean():.1%}", f"{1 - unmixed.mean():.1%}"))
    return Table(("copy", "file", "copies", "found", "joined with another slice"), lines, numbers=(2, 3, 4))


def encoded(image: Image.Image, *, small_jpeg: bool) -> bytes:
    """Encode as PNG, or at 224 x 224 pixels as JPEG of quality 80."""
    stream = io.BytesIO()
    if small_jpeg:
        image.resize((224, 224), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=80)
    else:
        image.save(stream, "PNG")
    return stream.getvalue()


def grouped(images: list[bytes], *, seed: int) -> NDArray[np.int64]:
    """Return the group of each image by the audit with crop search, in random order."""
    order = np.random.default_rng(seed).permutation(len(images))
    samples = tuple(Sample(images[index], "any", f"{index}", name=f"{index}") for index in order)
    groups = np.empty(len(images), np.int64)
    groups[order] = read_cohort(Cohort("copies", samples), progress=False).visual_groups(
        crop_search=True, progress=False
    )
    return groups


def recall_of_variants(data: Path, rows: list[dict[str, str]], *, seed: int) -> Table:
    """Return how well the groups agree with the manifest, without crop search."""
    samples = tuple(Sample(str(data / row["path"]), row["label"], row["path"], name=row["path"]) for row in rows)
    gray = read_cohort(Cohort("cervical fracture", samples), progress=False).looks
    scans = numbered([row["series"] for row in rows])
    slices = numbered([f"{row['series']} {row['slice']}" for row in rows])
    sharpened = np.array(["sharpened" in row["variant"] for row in rows])
    order = np.random.default_rng(seed).permutation(len(rows))
    subsets = {"all": order, **{f"a random 1/{part}": order[: len(order) // part] for part in (2, 4, 10)}}
    even = np.array([int(row["slice"]) % 2 == 0 for row in rows])
    subsets["even slices only sharpened, odd ones only plain"] = order[(sharpened == even)[order]]
    head = ("images", "pairs of one slice in one group", "pairs in a group of one slice", "of one series")
    lines = []
    for name, chosen in subsets.items():
        together = pairs(group_similar_images(gray[chosen], progress=False))
        one_slice, one_scan = pairs(slices[chosen]), pairs(scans[chosen])
        shares = (
            (together & one_slice).sum() / one_slice.sum(),
            (together & one_slice).sum() / together.sum(),
            (together & one_scan).sum() / together.sum(),
        )
        lines.append((f"{name} ({len(chosen):,})", *(f"{share:.1%}" for share in shares)))
    return Table(head, lines, numbers=(1, 2, 3))


def numbered(names: list[str]) -> NDArray[np.intp]:
    return np.unique(names, return_inverse=True)[1]


def pairs(groups: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return whether each pair of images is in one group."""
    return (groups[:, None] == groups)[np.triu_indices(len(groups), 1)]


def speed(samples: tuple[Sample, ...], counts: list[int]) -> Table:
    """Audit phantoms, which have no copies, without and with the crop search."""
    lines = []
    for count in counts:
        if count > len(samples):
            raise SystemExit(f"The folders have {len(samples):,} phantoms, not {count:,}.")
        named = [Sample(item.image, item.label, f"{n}", name=f"{n}") for n, item in enumerate(samples[:count])]
        loaded, *read = timed(lambda named=named: read_cohort(Cohort("phantoms", tuple(named)), progress=False))
        findings, *audited = timed(lambda loaded=loaded: audit(loaded, progress=False))
        groups = loaded.visual_groups()
        (_, scores), *searched = timed(
            lambda loaded=loaded, groups=groups: find_crops(loaded.looks, groups, progress=False)
        )
        without = np.add(read, audited)
        rates = [count / (seconds / np.array([1, 2])) for seconds in (without, without + searched)]
        lines.append(
            (
                f"{count:,}",
                *(f"{processor:.0f} ({clock:.0f})" for clock, processor in rates),
                f"{rates[1][1] / rates[0][1]:.2f}",
                count - findings.sources,
                (scores >= SAME).sum(),
                f"{max(scores, default=0):.2f}",
            )
        )
    head = ("phantoms", "images a second on two cores", "with crop search", "ratio", "false copies", "with crop search")
    return Table((*head, f"highest score ({SAME} is a copy)"), lines, numbers=range(7))


def timed(work: Callable[[], Result]) -> tuple[Result, float, float]:
    """Return the result, the wall-clock seconds and the CPU seconds."""
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - clock, time.process_time() - processor


if __name__ == "__main__":
    main()
