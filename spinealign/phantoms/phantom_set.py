"""Collections of phantoms."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from spinealign.config import MANIFEST_FILE
from spinealign.imaging.preprocessing import render
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.writing import new_folder

Row = dict[str, object]
COLUMNS = (
    "path", "split", "label", "finding", "grade", "arch", "displaced", "source", "series", "size_mm", "kind", "site",
    "level", "seed",
)  # fmt: skip
GRADES_MM = (1.0, 3.0, 5.0)  # smallest break of the grades 1, 2 and 3


def write_phantoms(folder: str | Path, counts: Mapping[str, int], *, seed: int = 0, size: int = 256) -> Path:
    """Write phantoms as PNG in the default window, with a manifest; every second one of a split is fractured.

    Besides `label`, the manifest has labels of other kinds from the drawn truth: `finding` is normal, gap or displaced;
    `grade` is 0 for an intact neck and 1, 2 or 3 for a break from 1, 3 or 5 mm; `arch` tells whether the arch is
    broken, and `displaced`, for breaks only, whether a fragment is displaced.

    Args:
        folder: Destination; must not exist, or be empty.
        counts: Number of phantoms in each split.
        seed: Seed of the first phantom; each following one uses the next seed.
        size: Height and width in pixels.

    Raises:
        FileExistsError: If the folder is not empty.
        ValueError: If a count is negative, all are 0, or a name of a split is not a plain folder name.
    """
    with new_set(folder, counts, write=partial(_write_phantom, size=size), seed=seed) as (staging, rows):
        write_table(staging / MANIFEST_FILE, COLUMNS, rows=[row for split in counts for row in rows[split]])
    return Path(folder).resolve() / MANIFEST_FILE


@contextmanager
def new_set(
    folder: str | Path, counts: Mapping[str, int], *, write: Callable[[Path, str, int, int], Row], seed: int
) -> Iterator[tuple[Path, dict[str, list[Row]]]]:
    """Draw phantoms into a temporary folder, which is moved into place at the end of the block.

    Args:
        folder: Destination; must not exist, or be empty.
        counts: Number of phantoms in each split.
        write: Draws the phantom of a folder, a split, a number in this split and a seed, and returns its row.
        seed: Seed of the first phantom; each following one uses the next seed.

    Yields:
        The temporary folder, with a folder for each split, and the rows of each split.

    Raises:
        FileExistsError: If the folder is not empty.
        ValueError: If a count is negative, all are 0, or a name of a split is not a plain folder name.
    """
    if any(count < 0 for count in counts.values()) or not sum(counts.values()):
        raise ValueError(f"counts must not be negative, and at least one must be positive, got {dict(counts)}.")
    if any(Path(split).name != split or split in ("", "..") for split in counts):
        raise ValueError(f"The names of splits must be plain folder names, got {', '.join(counts)}.")
    jobs = [(split, index) for split in counts for index in range(counts[split])]
    seeds = range(seed, seed + len(jobs))
    with new_folder(Path(folder)) as staging:
        for split in counts:
            (staging / split).mkdir()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            tasks = pool.map(lambda job, seed: write(staging, job[0], job[1], seed), jobs, seeds)
            drawn = iter(list(tqdm(tasks, total=len(jobs), desc="phantoms", unit="image", disable=None)))
        yield staging, {split: list(islice(drawn, counts[split])) for split in counts}


def write_table(path: Path, columns: Sequence[str], *, rows: Iterable[Row]) -> None:
    """Write rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)


def _write_phantom(folder: Path, split: str, index: int, seed: int, *, size: int) -> Row:
    phantom = draw_phantom(seed, fractured=index % 2 == 0, size=size)
    path = f"{split}/phantom-{seed:07d}.png"
    Image.fromarray(render(phantom.slice)).save(folder / path)
    name, break_ = phantom.slice.origin, phantom.fracture
    row: Row = {"path": path, "split": split, "label": phantom.label, "source": name, "series": name}
    if break_ is None:
        row |= {"finding": "normal", "grade": "0", "arch": "no"}
    else:
        grade = sum(break_.size_mm >= smallest for smallest in GRADES_MM)
        row |= {"finding": break_.kind, "grade": str(grade), "arch": "no" if break_.site == "body" else "yes"}
        row |= {"displaced": "yes" if break_.kind == "displaced" else "no"}
        row |= {"size_mm": f"{break_.size_mm:.3f}", "kind": break_.kind, "site": break_.site}
    return {**row, "level": phantom.level, "seed": seed}
