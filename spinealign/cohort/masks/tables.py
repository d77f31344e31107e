"""The general format of slices with masks: a table, image files, mask files and the names of label values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.manifest import Row, find_column, read_manifest
from spinealign.cohort.masks.drawn import DrawnSlice, encode, label_codes
from spinealign.cohort.masks.volumes import sagittal_pairs
from spinealign.cohort.options import CollectionOptions
from spinealign.errors import CohortError, ImageError, UnsupportedFormatError
from spinealign.imaging.slice import Slice
from spinealign.reading.files import is_file, read_file
from spinealign.reading.kinds import NIFTI, NIFTI_GZ, kind_of
from spinealign.reading.raster import decode_raster
from spinealign.reading.request import Request
from spinealign.reading.slices import read_slice
from spinealign.reading.tally import Tally

TABLE, LABELS = "masks.csv", "labels.json"


def is_table(folder: Path) -> bool:
    """Return whether a folder has a table of masks."""
    return is_file(folder / TABLE)


def read_table(folder: Path, passed: Tally) -> Iterator[DrawnSlice]:
    """Read the slices of `masks.csv`, a table with the columns `image` and `mask`.

    The files are images, or NIfTI volumes of which all sagittal slices are read. The columns `patient`, `sequence`,
    `split` and `spacing_mm` (distance of rows and columns, such as `0.5` or `0.5 0.6`) may be added. `labels.json`
    names the values of the masks, or their colors as "255,0,0": `L5`, `L4` and so on to `T1`, `vertebra` for a body
    of unknown level, `S1`, `disc`, `canal`, and `ignore` for what is unclear.

    Raises:
        CohortError: If the table lacks a column, or `labels.json` is missing or faulty.
    """
    names = _names(folder / LABELS)
    codes, labeled = label_codes(names), frozenset(names.values())
    manifest = read_manifest(read_file(folder / TABLE), CollectionOptions(), file=TABLE)
    columns = {name: find_column(manifest.columns, (name,)) for name in ("mask", "sequence", "spacingmm")}
    if columns["mask"] is None:
        raise CohortError(f"{TABLE} needs a column mask; it has {', '.join(manifest.columns)}.")
    passed.update(manifest.passed)
    for row in manifest.rows:
        values = {name: row.values[column] if column else None for name, column in columns.items()}
        try:
            pairs = _pairs(folder, row, values["mask"], values["spacingmm"])
        except ImageError as error:
            passed.add("row that cannot be read", f"{row.where}: {error}")
            continue
        for number, (image, mask) in enumerate(pairs):
            yield DrawnSlice(
                row.path if len(pairs) == 1 else f"{row.path}_{number:02d}",
                f"{folder.name}/{row.patient or row.path}",
                folder.name,
                image,
                encode(mask, codes),
                labeled,
                sequence=values["sequence"] or "",
                split=row.split or "",
                in_mm=image.spacing_mm is not None,
            )


def _names(file: Path) -> dict[str, str]:
    try:
        names = json.loads(read_file(file))
    except ImageError:
        raise CohortError(f"{file.parent.name} needs {LABELS}, the names of the values of its masks.") from None
    except ValueError as error:
        raise CohortError(f"{LABELS} is not JSON: {error}.") from error
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise CohortError(f'{LABELS} must be an object such as {{"1": "L5", "2": "L4"}}.')
    return names


def _pairs(folder: Path, row: Row, mask: str | None, spacing: str | None) -> list[tuple[Slice, NDArray[np.generic]]]:
    if mask is None:
        raise UnsupportedFormatError("The row has no mask.")
    image_path, mask_path = folder / row.path, folder / mask
    content = read_file(mask_path)
    if kind_of(content) in (NIFTI, NIFTI_GZ):
        return [*sagittal_pairs(image_path, mask_path)]
    image, labels = read_slice(image_path), np.asarray(decode_raster(content, Request(mask_path.name)))
    if labels.shape[:2] != image.shape:
        raise UnsupportedFormatError(f"{mask_path.name} has another size than {image_path.name}.")
    return [(replace(image, spacing_mm=_spacing(spacing)) if spacing else image, labels)]


def _spacing(text: str) -> tuple[float, float]:
    try:
        values = [float(part) for part in text.replace(",", ".").replace("x", " ").split()]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(0.1 < value < 5 for value in values):
        raise UnsupportedFormatError(f"Expected a spacing in mm such as 0.5, got {text!r}.")
    return values[0], values[-1]
