"""Slices of the SPIDER collection (van der Graaf et al., 2024) with masks, numbered masks, or boxes of discs."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.sagittal.preparing import prepare_sagittal
from spinealign.cohort.masks.boxed import Box, BoxedSlice
from spinealign.cohort.masks.drawn import DrawnSlice, encode, label_codes
from spinealign.errors import ImageError
from spinealign.imaging.slice import Slice
from spinealign.reading.files import read_file
from spinealign.reading.raster import decode_raster
from spinealign.reading.request import Request
from spinealign.reading.slices import read_slice
from spinealign.reading.tally import Tally

BOXES, SERIES, MASKED, NUMBERED = "disc_boxes.csv", "sagittal", "t2_space", "numbered"
UNCERTAIN = frozenset({"18", "50", "53", "64", "78", "142", "173"})  # patients: transitional anatomy, or wrong levels
_SPACING_MM = (0.46875, 0.46875)  # of all series of `t2_space`
_SPACE = {"1": "vertebra", "2": "disc", "3": "canal"}
_COLORS = {
    "t2w17": {
        "255,0,0": "L5", "0,255,0": "L4", "0,0,255": "L3", "255,255,0": "L2", "0,255,255": "L1", "255,0,255": "T12",
        "128,40,40": "ignore", "40,128,40": "canal", "128,128,0": "disc", "0,128,128": "disc", "128,0,128": "disc",
        "40,40,40": "disc", "80,80,80": "disc", "128,128,128": "disc", "255,255,255": "disc",
    },
    "t1t2_9": {
        "255,0,0": "L5", "0,255,0": "L4", "0,0,255": "L3", "255,255,0": "L2", "255,0,255": "L1", "0,255,255": "T12",
        "128,128,128": "T11", "255,255,255": "T10", "128,80,0": "T9",
    },
}  # fmt: skip


def is_spider(folder: Path) -> bool:
    """Return whether a folder has slices of SPIDER."""
    return (folder / BOXES).is_file() or (folder / MASKED).is_dir()


def read_spider(folder: Path, passed: Tally) -> Iterator[DrawnSlice | BoxedSlice]:
    """Read the slices of `t2_space` and `numbered`, which have masks, then the series of `sagittal`.

    Spacing is that of `overview.csv`, which is wrong for some series: only that of `t2_space` counts as reliable.
    """
    spacings = _spacings(folder)
    yield from _masked(folder / MASKED, passed)
    for name in _COLORS:
        yield from _numbered(folder / NUMBERED / name, spacings, passed)
    yield from _series(folder, spacings, passed)


def _masked(folder: Path, passed: Tally) -> Iterator[DrawnSlice]:
    for path in sorted((folder / "images").glob("*.jpg")):
        series = path.name.rpartition("_")[0]
        if pair := _pair(path, _SPACE, passed):
            yield _drawn(path.stem, series, *pair, names=_SPACE, spacing=_SPACING_MM)


def _numbered(folder: Path, spacings: dict[str, tuple[float, float]], passed: Tally) -> Iterator[DrawnSlice]:
    names = _COLORS[folder.name]
    for row in _rows(folder / "patients.csv"):
        if pair := _pair(folder / "images" / f"{row['file']}.jpg", names, passed):
            yield _drawn(row["file"], row["series"], *pair, names=names, spacing=spacings.get(row["series"]))


def _pair(path: Path, names: dict[str, str], passed: Tally) -> tuple[Slice, NDArray[np.uint8]] | None:
    mask = path.parents[1] / "masks" / f"{path.stem}.png"
    try:
        image = read_slice(path)
        return image, encode(np.asarray(decode_raster(read_file(mask), Request(mask.name))), label_codes(names))
    except ImageError as error:
        passed.add("slice that cannot be read", f"{path.name}: {error}")
        return None


def _drawn(
    name: str,
    series: str,
    image: Slice,
    labels: NDArray[np.uint8],
    *,
    names: dict[str, str],
    spacing: tuple[float, float] | None,
) -> DrawnSlice:
    patient = series.partition("_")[0]
    return DrawnSlice(
        name,
        f"spider/{patient}",
        MASKED if names is _SPACE else NUMBERED,
        Slice(image.pixels, spacing_mm=spacing, modality="MR"),
        labels,
        frozenset(names.values()),
        sequence=_sequence(series),
        in_mm=names is _SPACE,
        whole=True,
        levels=patient not in UNCERTAIN,
    )


def _series(folder: Path, spacings: dict[str, tuple[float, float]], passed: Tally) -> Iterator[BoxedSlice]:
    boxes: dict[str, dict[int, Box]] = defaultdict(dict)
    for row in _rows(folder / BOXES):
        if label := row["ivd_label_if_count_agrees"]:
            boxes[row["series"]][int(label)] = (
                float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"])
            )  # fmt: skip
    for path in sorted((folder / SERIES).glob("*.jpg")):
        patient = path.stem.split("_")[0]
        try:
            image = read_slice(path)
        except ImageError as error:
            passed.add("slice that cannot be read", f"{path.name}: {error}")
            continue
        prepared = prepare_sagittal(Slice(image.pixels, spacing_mm=spacings.get(path.stem), modality="MR"))
        corners = {number: np.reshape(box, (2, 2)) for number, box in sorted(boxes[path.stem].items())}
        discs = {number: tuple(prepared.from_original(box).ravel().tolist()) for number, box in corners.items()}
        yield BoxedSlice(
            path.stem,
            f"spider/{patient}",
            "spider",
            _sequence(path.stem),
            prepared.gray,
            discs,  # type: ignore[arg-type]
            certain=patient not in UNCERTAIN,
        )


def _spacings(folder: Path) -> dict[str, tuple[float, float]]:
    """Return the spacing of rows and columns of each series."""
    found = {}
    for row in _rows(folder / "overview.csv"):
        values = [float(value) for value in row["PixelSpacing"].strip("[]").split(",")]
        found[row["new_file_name"]] = (values[0], values[-1])
    return found


def _rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(read_file(file).decode().splitlines())) if file.is_file() else []


def _sequence(series: str) -> str:
    return series.rpartition("_")[2].upper()
