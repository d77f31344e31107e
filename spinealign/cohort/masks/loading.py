"""Reader of collections of sagittal slices with masks or boxes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from spinealign.cohort.masks.boxed import BoxedSlice
from spinealign.cohort.masks.drawn import DrawnSlice
from spinealign.cohort.masks.labeled import LabeledSlice
from spinealign.cohort.masks.lumbar_mri import is_lumbar_mri, read_lumbar_mri
from spinealign.cohort.masks.spider import is_spider, read_spider
from spinealign.cohort.masks.structures import label_slice
from spinealign.cohort.masks.tables import TABLE, is_table, read_table
from spinealign.errors import CohortError
from spinealign.reading.tally import Tally

TEST = "test"
Path_ = str | os.PathLike[str]
Read = Callable[[Path, Tally], Iterator[DrawnSlice | BoxedSlice]]
_READERS: tuple[tuple[Callable[[Path], bool], Read], ...] = (
    (is_table, read_table),
    (is_lumbar_mri, read_lumbar_mri),
    (is_spider, read_spider),
)


@dataclass(frozen=True, repr=False)
class MaskCohort:
    """Sagittal slices of one or several collections.

    Attributes:
        name: Names of the collections.
        slices: Slices with masks.
        boxed: Slices with boxes of their discs, or without labels.
        digest: Digest of all pixels and labels, in hexadecimal.
        notes: What was left out, and why.
    """

    name: str
    slices: tuple[LabeledSlice, ...]
    boxed: tuple[BoxedSlice, ...]
    digest: str
    notes: tuple[str, ...] = field(default=())

    @property
    def test_slices(self) -> tuple[LabeledSlice, ...]:
        """Slices of the split `test`."""
        return tuple(item for item in self.slices if item.split == TEST)

    @property
    def training(self) -> MaskCohort:
        """The cohort without patients who have a slice of the split `test`."""
        tested = {item.patient for item in self.test_slices}
        slices = tuple(item for item in self.slices if item.patient not in tested)
        boxed = tuple(item for item in self.boxed if item.patient not in tested)
        return replace(self, slices=slices, boxed=boxed)

    def __repr__(self) -> str:
        patients = len({item.patient for item in self.slices} | {item.patient for item in self.boxed})
        counts = f"slices={len(self.slices)}, boxed={len(self.boxed)}, patients={patients}"
        return f"MaskCohort({self.name!r}, {counts})"


def load_slices(source: Path_ | Sequence[Path_]) -> MaskCohort:
    """Load sagittal slices with masks of their structures, on a grid of 1 mm.

    Args:
        source: A folder, or several: with `masks.csv` and `labels.json` (see `tables.read_table`), with pairs of
            volumes as in `lumbar_mri` (see `lumbar_mri.read_lumbar_mri`), or with slices of SPIDER (see
            `spider.read_spider`).

    Returns:
        The slices. Those that cannot be read, or have too few bodies, are left out and counted.

    Raises:
        CohortError: If a folder is of no known kind, a table or `labels.json` is faulty, or no slice can be used.
        MissingDependencyError: If scikit-image is not installed.
    """
    folders = [Path(source)] if isinstance(source, (str, os.PathLike)) else [Path(path) for path in source]
    readers = [_reader(folder) for folder in folders]
    passed = Tally()
    slices: list[LabeledSlice] = []
    boxed: list[BoxedSlice] = []
    digest = hashlib.sha256()
    for folder, read in zip(folders, readers):
        found = read(folder, passed)
        for item in tqdm(found, desc=f"Reading {folder.name}", unit="slice", leave=False, disable=None, delay=1.0):
            labeled = item if isinstance(item, BoxedSlice) else label_slice(item, passed)
            if isinstance(labeled, BoxedSlice):
                boxed.append(labeled)
            elif labeled is not None:
                slices.append(labeled)
            if labeled is not None:
                digest.update(_state(labeled))
    if not slices and not boxed:
        raise CohortError(f"{folders[0].name} has no usable slice: {passed if passed.total() else 'it is empty'}.")
    notes = (f"left out: {passed}",) if passed.total() else ()
    name = "+".join(folder.name for folder in folders)
    return MaskCohort(name, tuple(slices), tuple(boxed), digest.hexdigest(), notes)


def _reader(folder: Path) -> Read:
    for is_kind, read in _READERS:
        if is_kind(folder):
            return read
    raise CohortError(f"{folder} has no {TABLE} and no known layout of slices with masks; see docs/masks.md.")


def _state(item: LabeledSlice | BoxedSlice) -> bytes:
    """Return what a training learns from, for the digest."""
    described = f"{item.name} {item.patient} {item.source} {item.sequence} {item.gray.shape}".encode()
    if isinstance(item, BoxedSlice):
        boxes = {number: [round(value, 3) for value in box] for number, box in sorted(item.discs.items())}
        return described + f"{boxes} {item.certain}".encode() + item.gray.tobytes()
    sacrum = None if item.sacrum is None else [round(value, 3) for value in item.sacrum]
    masks = b"".join(mask.tobytes() for mask in (item.gray, item.bodies, item.structures, item.ignored))
    return described + f"{item.split} {sacrum} {item.exact} {item.in_mm}".encode() + masks
