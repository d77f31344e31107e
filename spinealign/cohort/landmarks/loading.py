"""Reader of collections of films with the corners of their vertebrae."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from spinealign.cohort.hub_rows import load_hub
from spinealign.cohort.landmarks.annotations import Annotation, read_coco, read_rows, read_table
from spinealign.cohort.landmarks.checking import Checked, Points, check_corners
from spinealign.cohort.landmarks.film import TEST, Film, LabelCheck, LandmarkCohort
from spinealign.cohort.landmarks.grouping import join_groups, name_parts
from spinealign.cohort.landmarks.repairs import Repair, read_repairs
from spinealign.cohort.manifest import SPLIT_NAMES
from spinealign.errors import CohortError, ImageError
from spinealign.reading.files import read_file
from spinealign.reading.slices import read_shape
from spinealign.reading.tally import Tally

REPAIRS_FILE = "repairs.csv"


def load_films(source: str | os.PathLike[str], *, repairs: str | os.PathLike[str] | None = None) -> LandmarkCohort:
    """Load films with the corners of their vertebrae, and check the labels; no pixels are decoded.

    Args:
        source: A folder with the tables `train.csv` and `test.csv` (see `annotations.read_table`) or with COCO files
            (see `annotations.read_coco`); one such file; or the id or folder of a Hub dataset (see
            `annotations.read_rows`).
        repairs: Table of corrections (see `repairs.read_repairs`); None for `repairs.csv` beside the data, if there is
            one.

    Returns:
        The films. Films that cannot be read, and films of other splits than `test` with a faulty label, are left out
        and counted.

    Raises:
        CohortError: If the collection does not exist, a table lacks columns, or no film can be used.
    """
    path, passed = Path(source), Tally()
    corrections = _corrections(path, repairs)
    films: list[Film] = []
    checks: list[LabelCheck] = []
    digest = hashlib.sha256()
    for annotation in _annotations(path, str(source), passed):
        try:
            content = annotation.content or read_file(annotation.path)
            shape = read_shape(content)
        except ImageError as error:
            passed.add("film that cannot be read", f"{annotation.path.name}: {error}")
            continue
        known = np.isfinite(annotation.corners).all(axis=(1, 2))
        if not known.all():
            passed.add("vertebra without all its coordinates", annotation.name)
            annotation = replace(annotation, corners=annotation.corners[known])  # noqa: PLW2901
        film, check = _film(annotation, shape, corrections)
        checks.append(check)
        if film is not None:
            films.append(film)
            digest.update(_state(film, content))
    if not films:
        raise CohortError(f"{source} has no usable film: {passed if passed.total() else 'all labels are faulty'}.")
    notes = (f"passed over: {passed}",) if passed.total() else ()
    joined = join_groups(films, _listed_pairs(films, corrections))
    return LandmarkCohort(path.name, joined, tuple(checks), notes, digest.hexdigest())


def _listed_pairs(films: Sequence[Film], corrections: Sequence[Repair]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of films that the table of corrections joins."""
    places = {name: place for place, film in enumerate(films) for name in (film.path.name, film.name)}
    for repair in corrections:
        if repair.action == "join" and repair.film in places and repair.detail in places:
            yield places[repair.film], places[repair.detail]


def has_corners(source: str | os.PathLike[str]) -> bool:
    """Return whether a folder or file has tables or COCO files that `load_films` reads; not for Hub datasets."""
    return any(_describes_corners(file) for file in _label_files(Path(source)))


def _label_files(path: Path) -> list[Path]:
    if os.path.isfile(path):  # unlike the method of Path, it does not raise
        return [path] if path.suffix.lower() in (".csv", ".json") else []
    if not os.path.isdir(path):
        return []
    tables = [file for file in sorted(path.glob("*.csv")) if file.stem.lower() in SPLIT_NAMES]
    below = sorted([*path.glob("*.json"), *path.glob("*/*.json")])
    return tables + [file for file in below if _describes_corners(file)]


def _describes_corners(file: Path) -> bool:
    content = read_file(file)
    if file.suffix.lower() == ".json":
        return b'"keypoints"' in content
    columns = set(re.split(rb"\W+", content.partition(b"\n")[0].lower()))
    return {b"x0", b"y0"} <= columns or {b"x_0", b"y_0"} <= columns


def _annotations(path: Path, source: str, passed: Tally) -> Iterator[Annotation]:
    if files := [path] if os.path.isfile(path) else _label_files(path):
        for file in files:
            yield from (read_coco if file.suffix.lower() == ".json" else read_table)(file, passed)
        return
    splits = load_hub(source)
    for split in splits:
        yield from read_rows(splits[split], split, passed=passed)


def _corrections(path: Path, repairs: str | os.PathLike[str] | None) -> tuple[Repair, ...]:
    beside = (path if os.path.isdir(path) else path.parent) / REPAIRS_FILE
    if repairs is None and not os.path.isfile(beside):
        return ()
    return read_repairs(Path(repairs or beside))


def _film(
    annotation: Annotation, shape: tuple[int, int], corrections: Sequence[Repair]
) -> tuple[Film | None, LabelCheck]:
    """Return a film with checked corners, or None if it is dropped, and the result of the check."""
    repairs = [repair for repair in corrections if repair.film in (annotation.path.name, annotation.name)]
    checked = _checked(annotation.in_pixels(shape), annotation.given_angles, repairs)
    reasons = (*checked.faults, *checked.doubts, *checked.repairs, *checked.remarks)
    outcome = "masked" if checked.doubts else "repaired" if checked.repairs else "ok"
    if checked.faults:
        outcome = "flagged" if annotation.split == TEST else "dropped"
    check = LabelCheck(annotation.name, annotation.split, outcome, reasons)
    if outcome == "dropped":
        return None, check
    corners, parts = checked.corners / shape[::-1], name_parts(annotation.name)
    film = Film(
        annotation.path,
        annotation.name,
        corners,
        checked.reliable,
        shape,
        annotation.split,
        group=annotation.patient or (parts.number if parts else f"{annotation.split}/{annotation.name}"),
        given_angles=annotation.given_angles,
        content=annotation.content,
    )
    return film, check


def _checked(corners: Points, given: tuple[float, ...] | None, repairs: Sequence[Repair]) -> Checked:
    """Check corners in pixels, as far as the corrections of the film let it."""

    def reasons(action: str) -> tuple[str, ...]:
        return tuple(repair.reason for repair in repairs if repair.action == action)

    def places(action: str) -> list[int]:
        return [place for repair in repairs if repair.action == action for place in repair.vertebrae]

    corners = corners[~np.isin(np.arange(len(corners)), places("omit"))]
    if kept := reasons("keep"):
        checked = Checked(corners, np.ones(len(corners), bool), remarks=kept)
    else:
        checked = check_corners(corners, given)
    return replace(
        checked,
        reliable=checked.reliable & ~np.isin(np.arange(len(checked.reliable)), places("mask")),
        repairs=(*reasons("omit"), *checked.repairs),
        doubts=(*reasons("mask"), *checked.doubts),
        faults=(*reasons("drop"), *checked.faults),
    )


def _state(film: Film, content: bytes) -> bytes:
    """Return what a training learns from, for the digest."""
    described = (
        f"{film.name} {film.split} {film.given_angles} {film.corners.round(6).tolist()} {film.reliable.tolist()}"
    )
    return described.encode() + hashlib.sha256(content).digest()
