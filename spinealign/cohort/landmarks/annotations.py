"""Corners of vertebrae as collections write them: tables, COCO keypoints, Hub datasets."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.manifest import SPLIT_NAMES, find_column, read_manifest
from spinealign.cohort.options import CollectionOptions
from spinealign.errors import CohortError
from spinealign.reading.files import is_file, read_file
from spinealign.reading.tally import Tally

NAME_COLUMNS = ("originalname", "name")
CORNER_COLUMNS = ("corners", "keypoints", "landmarks")
_NUMBERED = re.compile(r"([xy])_?(\d+)", re.IGNORECASE)
_ANGLE = re.compile(r"(?:cobb|angle)_?(\d+)", re.IGNORECASE)
_FRACTION = 2.0  # no coordinate beyond it is a fraction of width or height


@dataclass(frozen=True, eq=False)
class Annotation:
    """One image with its corners as they are written.

    Attributes:
        path: Path of the file; for a Hub dataset, its name there.
        name: Name of the film.
        corners: Shape (N, 4, 2), in pixels or fractions of width and height; see `in_pixels`.
        split: One of `SPLITS`.
        patient: Patient, if known.
        given_angles: Angles in degrees, if stated.
        content: Content of the file, if it is not at `path`.
    """

    path: Path
    name: str
    corners: NDArray[np.float64]
    split: str
    patient: str | None = field(default=None, repr=False)
    given_angles: tuple[float, ...] | None = None
    content: bytes | None = field(default=None, repr=False)

    def in_pixels(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Return the corners in pixels of an image of a height and width; they are fractions if none is above 2."""
        fractions = not self.corners.size or float(np.abs(self.corners).max()) <= _FRACTION
        return self.corners * shape[::-1] if fractions else self.corners


def split_of(*names: str) -> str:
    """Return the split that the first of several names says, or `train`.

    Example:
        >>> split_of("instances_val2017", "annotations")
        'val'
    """
    words = (word for name in names for word in re.split(r"[\W\d_]+", name.lower()))
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "train")


def read_table(file: Path, passed: Tally) -> Iterator[Annotation]:
    """Read a table with one row per film: its file, x0, y0, x1, y1 and so on, and perhaps its name and its angles.

    Four points are a vertebra. The files are in a folder with the name of the table, or beside it. A film without any
    coordinate has no vertebrae; a vertebra without any coordinate is not visible.

    Raises:
        CohortError: If it is not a table, or has no such columns.
    """
    manifest = read_manifest(read_file(file), CollectionOptions(), file=file.name)
    matches = [match for name in manifest.columns if (match := _NUMBERED.fullmatch(name))]
    places = {(match[1].lower(), int(match[2])): match[0] for match in matches}
    numbers = sorted({number for _, number in places})
    wanted = [(axis, number) for number in numbers for axis in "xy"]
    if not numbers or len(numbers) % 4 or any(key not in places for key in wanted):
        raise CohortError(
            f"{file.name} has columns for {len(numbers)} points; expected x0, y0, x1, y1 and so on, four points for "
            "each vertebra."
        )
    angles = sorted((int(match[1]), name) for name in manifest.columns if (match := _ANGLE.fullmatch(name)))
    name_column = find_column(manifest.columns, NAME_COLUMNS)
    passed.update(manifest.passed)
    for row in manifest.rows:
        path = located(file, row.path)
        try:
            values = [_number(row.values[places[key]]) for key in wanted]
            given = [_number(row.values[name]) for _, name in angles]
        except ValueError:
            passed.add("row with text in place of a number", f"{file.name} {row.where}")
            continue
        if path is None:
            passed.add("row whose file is missing", f"{file.name} {row.where}: {row.path}")
            continue
        corners = np.reshape(values, (-1, 4, 2))
        corners = corners[~np.isnan(corners).all(axis=(1, 2))]
        name = (row.values[name_column] if name_column else None) or Path(row.path).name
        split = row.split or split_of(file.stem)
        stated = None if not given or np.isnan(given).any() else tuple(given)
        yield Annotation(path, name, corners, split, row.patient, stated)


def _number(text: str | None) -> float:
    return float("nan" if text is None else text.replace(",", "."))


def located(table: Path, name: str) -> Path | None:
    """Return the file that a table names, in the usual folders around it; None if it is in none of them."""
    around = [folder / below for folder in (table.parent, table.parent.parent) for below in (table.stem, "", "images")]
    return next((place / name for place in around if is_file(place / name)), None)


def read_coco(file: Path, passed: Tally) -> Iterator[Annotation]:
    """Read the keypoints of a COCO file: four in an annotation of a vertebra, or four for each vertebra of a spine.

    Keypoints that are not labeled (visibility 0) leave out their vertebra. Images without annotations have no
    vertebrae.

    Raises:
        CohortError: If it is not a COCO file.
    """
    try:
        content = json.loads(read_file(file))
        images = {image["id"]: image for image in content["images"]}
        marks: dict[Any, list[Any]] = defaultdict(list)
        for item in content["annotations"]:
            marks[item["image_id"]].append(item.get("keypoints") or None)  # None does not reshape
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CohortError(
            f"{file.name} is not a COCO file ({type(error).__name__}); it needs images and annotations with keypoints."
        ) from None
    for number in marks.keys() - images.keys():
        passed.add("annotated image that is not listed", f"{file.name}: id {number}")
    for number, image in images.items():
        name = str(image.get("file_name"))
        path = located(file, name)
        if path is None:
            passed.add("image whose file is missing", f"{file.name}: {name}")
            continue
        try:
            points = np.concatenate([np.empty((0, 4, 3)), *(np.reshape(item, (-1, 4, 3)) for item in marks[number])])
            points = points.astype(np.float64)
        except (ValueError, TypeError):
            passed.add("image with an annotation without four keypoints", f"{file.name}: {name}")
            continue
        seen = points[(points[..., 2] > 0).all(axis=1)]
        if len(seen) < len(points):
            passed.add("vertebra with a keypoint that is not labeled", f"{file.name}: {name}")
        yield Annotation(path, Path(name).name, seen[..., :2], split_of(file.stem, file.parent.name))


def read_rows(rows: Any, split: str, *, passed: Tally) -> Iterator[Annotation]:
    """Read a `datasets.Dataset` with an image column and a column of corners: N x 4 x 2 numbers, nested or flat.

    Raises:
        CohortError: If columns are missing.
    """
    from datasets import Image

    image_column = next((name for name, kind in rows.features.items() if isinstance(kind, Image)), None)
    corner_column = find_column(rows.column_names, CORNER_COLUMNS)
    if image_column is None or corner_column is None:
        raise CohortError(
            f"Split {split} needs an image column and a column {' or '.join(CORNER_COLUMNS)} with the corners; it has "
            f"{', '.join(rows.column_names)}."
        )
    for number, row in enumerate(rows.cast_column(image_column, Image(decode=False))):
        image, where = row[image_column], f"{split} row {number}"
        if image is None:
            passed.add("row without an image", where)
            continue
        try:
            corners = np.reshape(_flat(row[corner_column] or ()), (-1, 4, 2)).astype(np.float64)
        except (ValueError, TypeError):
            passed.add("row without four corners for each vertebra", where)
            continue
        path = Path(image["path"] or where)
        name = str(_first(row, NAME_COLUMNS) or path.name)
        part = SPLIT_NAMES.get(str(row.get("split") or split).lower()) or split_of(split)
        yield Annotation(path, name, corners, part, _first(row, ("patient",)), content=image["bytes"])


def _flat(values: Any) -> Sequence[float]:
    return np.asarray(values, np.float64).ravel().tolist()


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    column = find_column(list(row), names)
    return row[column] if column else None
