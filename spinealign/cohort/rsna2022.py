"""Slice labels of the RSNA 2022 Cervical Spine Fracture Detection competition, from its boxes.

The layout is that of the competition's archive: `train.csv` has the fractured vertebrae of each study,
`train_bounding_boxes.csv` the boxes of part of the fractured studies, and `train_images/<study>/<n>.dcm` the slices.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from spinealign.cohort.cohort import Cohort, Sample
from spinealign.errors import CohortError
from spinealign.reading.discovery import natural_key

_FRACTURE, _NORMAL = "fracture", "normal"
STUDIES, BOXES, IMAGES = "train.csv", "train_bounding_boxes.csv", "train_images"
LEVELS = ("C1", "C2", "C3", "C4", "C5", "C6", "C7")
_UNKNOWN = f"of studies that are not in {STUDIES}"
_NO_BOX = "without a box, in studies with a fracture"
_CONTRADICTORY = "of studies without a fracture that have boxes"
_OTHER = "whose files are not named <number>.dcm"


def is_rsna2022(folder: Path) -> bool:
    """Return whether a folder has the layout of the competition."""
    return all(os.path.isfile(folder / name) for name in (STUDIES, BOXES)) and os.path.isdir(folder / IMAGES)


def index_rsna2022(folder: Path) -> Cohort:
    """Index the slices with a label, by study and slice number; no image is opened.

    A slice with a box is a fracture. A slice without one is normal only if its study has no fracture, because a study
    with a fracture may have fractured slices without a box. Patient and series of a slice are its study. The level is
    known if the study has one fractured vertebra. `skipped` has the counts of the other slices.

    Raises:
        CohortError: If a table cannot be read, or no slice has a label.
    """
    if not is_rsna2022(folder):
        raise CohortError(f"{folder} lacks {STUDIES}, {BOXES} or {IMAGES}/ of the RSNA 2022 competition.")
    levels = _fractured_levels(folder / STUDIES)
    boxed = _boxed_slices(folder / BOXES)
    left_out: dict[str, list[str]] = defaultdict(list)
    samples = []
    for study, number, path in _slices(folder / IMAGES):
        name = path.relative_to(folder).as_posix()
        reason = _reason_without_label(number, levels.get(study), boxed[study])
        if reason:
            left_out[reason].append(name)
            continue
        fractured = levels[study]
        samples.append(
            Sample(
                str(path),
                _FRACTURE if fractured else _NORMAL,
                f"{study} slice {number}",
                study,
                name=name,
                patient=study,
                level=(fractured[0] or None) if len(fractured) == 1 else None,
            )
        )
    counts = [f"{len(names):,} slices {reason} (for example {names[0]})" for reason, names in left_out.items()]
    without_file = sum(map(len, boxed.values())) - sum(sample.label == _FRACTURE for sample in samples)
    if without_file:
        counts.append(f"{without_file:,} slices that have a box but are not in {IMAGES}/")
    name = folder.resolve().name
    if not samples:
        found = sum(map(len, left_out.values()))
        raise CohortError(
            f"{name}: none of {found} slices has a label: {'; '.join(counts)}. A slice is "
            f"labeled {_FRACTURE} by a box in {BOXES}, and {_NORMAL} only in a study without a fracture."
        )
    return Cohort(name, tuple(samples), tuple(f"no label: {line}" for line in counts))


def _reason_without_label(number: int | None, fractured: tuple[str, ...] | None, boxed: set[int]) -> str | None:
    if number is None:
        return _OTHER
    if fractured is None:
        return _UNKNOWN
    if fractured:
        return None if number in boxed else _NO_BOX
    return _CONTRADICTORY if boxed else None


def _fractured_levels(table: Path) -> dict[str, tuple[str, ...]]:
    """Return the fractured vertebrae of each study; `("",)` if only the study is known to have a fracture."""
    found = {}
    for row in _rows(table, {"StudyInstanceUID", "patient_overall", *LEVELS}):
        levels = tuple(level for level in LEVELS if _flag(row, level, table))
        found[row["StudyInstanceUID"]] = levels or (("",) if _flag(row, "patient_overall", table) else ())
    return found


def _boxed_slices(table: Path) -> dict[str, set[int]]:
    boxed: dict[str, set[int]] = defaultdict(set)
    for row in _rows(table, {"StudyInstanceUID", "slice_number"}):
        try:
            boxed[row["StudyInstanceUID"]].add(int(float(row["slice_number"])))
        except ValueError:
            raise CohortError(f"{table.name}: slice_number {row['slice_number']!r} is not a number.") from None
    return boxed


def _flag(row: dict[str, str], column: str, table: Path) -> bool:
    if row[column] not in ("0", "1"):
        raise CohortError(f"{table.name}: {column} must be 0 or 1, got {row[column]!r}.")
    return row[column] == "1"


def _rows(table: Path, columns: set[str]) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"{table} cannot be read as CSV in UTF-8: {type(error).__name__}.") from error
    missing = sorted(columns - set(reader.fieldnames or ()))
    if missing:
        raise CohortError(f"{table.name} lacks the columns {', '.join(missing)}.")
    return rows


def _slices(folder: Path) -> Iterator[tuple[str, int | None, Path]]:
    """Yield study, slice number and path of each file, in the order of study and number."""
    for study in sorted(path for path in folder.glob("[!.]*") if path.is_dir()):
        for path in sorted(study.glob("[!.]*"), key=lambda path: natural_key(path.name)):
            is_slice = path.suffix.lower() == ".dcm" and path.stem.isdecimal()
            yield study.name, int(path.stem) if is_slice else None, path
