"""Index of the images in a folder, an archive, a manifest or a Hub dataset."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinealign.cohort.class_names import spelled_alike, with_class_notes
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.folders import ARCHIVE_SUFFIX, read_layout
from spinealign.cohort.hub_rows import hub_samples, index_hub
from spinealign.cohort.manifest import LABEL_NAMES, Manifest, Row, find_column, image_rows, read_manifest
from spinealign.cohort.moved import find_moved
from spinealign.cohort.naming import make_sample, number_of, patients_of, source_pattern_of
from spinealign.cohort.options import CollectionOptions
from spinealign.cohort.rsna2022 import index_rsna2022, is_rsna2022
from spinealign.cohort.targets import Column
from spinealign.config import MANIFEST_FILE
from spinealign.errors import CohortError, ImageError
from spinealign.labels import SINGLE
from spinealign.reading.discovery import list_images
from spinealign.reading.files import in_archive, is_file, read_file, read_head
from spinealign.reading.kinds import kind_of
from spinealign.reading.tally import Tally, counted

_COLUMNS = {
    "source": ("source", "sourceid", "sourceslice"),
    "series": ("series", "seriesid", "seriesuid", "seriesinstanceuid"),
    "size_mm": ("sizemm",),
    "level": ("level", "vertebra"),
}  # of a manifest, without case, spaces and punctuation
_OF_MANIFESTS = ("path_column", "label_column", "root", "test_fold")  # options
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def index_cohort(data: str | Path, options: CollectionOptions | None = None) -> Cohort:
    """Index a collection; of each file in a folder or archive, the first bytes are read.

    Args:
        data: A folder, or a zip or tar archive, of the layout `{train,val,test}/{class}/*` or `{class}/*` or with a
            `manifest.csv`; a manifest; the folder of the RSNA 2022 competition (see `Cohort.from_rsna2022`); or the id
            of a Hub dataset. A manifest is a table, as `read_manifest` reads it, with the columns `path`, `label` and,
            if known, `split`, `source`, `series`, `patient`, `size_mm` and `level`. With the option `labels`, the named
            columns are read in place of `label`; empty cells are missing values, and rows without any value are passed
            over.
        options: How the collection is read.

    Returns:
        The samples in a fixed order; `skipped` counts what was passed over, with the reason.

    Raises:
        CohortError: If the collection does not exist or has no images, or a class is misspelled in a split.
        ValueError: If a pattern is invalid.
    """
    options = options or CollectionOptions()
    pattern = source_pattern_of(options.source_pattern)
    path = Path(data)
    if path.suffix.lower() in (".xlsx", ".xls", ".ods") and path.is_file():
        raise CohortError(f"{path} is a workbook; save the sheet as CSV.")
    try:
        if is_file(path / MANIFEST_FILE):
            cohort = _from_manifest(path / MANIFEST_FILE, pattern, options)
        elif is_rsna2022(path):
            cohort = index_rsna2022(path)
        elif os.path.isdir(path) or (os.path.isfile(path) and kind_of(read_head(path)).role == "archive"):
            cohort = _from_folder(path, pattern, options)
        elif os.path.isfile(path):  # unlike the methods of Path, these do not raise
            cohort = _from_manifest(path, pattern, options)
        elif _HUB_ID.fullmatch(str(data)):
            cohort = index_hub(str(data), pattern=pattern, labels=label_names(options))
        else:
            raise CohortError(f"Found no folder, archive, manifest or Hub dataset {str(data)!r}; check the path.")
    except ImageError as error:
        raise CohortError(str(error)) from error
    return _checked(spelled_alike(cohort), strict=options.source_pattern is not None)


def _from_folder(root: Path, pattern: re.Pattern[str], options: CollectionOptions) -> Cohort:
    if options.labels:
        raise CohortError(f"{root} has no columns {', '.join(options.labels)}: it has no {MANIFEST_FILE}.")
    layout = read_layout(list_images(root), str(root))
    files = layout.files
    patients, notes = patients_of([placed.file.name for placed in files], options.patient_pattern)
    guessed = layout.patients if options.patient_pattern is None else ()
    if guessed:
        patients, notes = list(guessed), [
            f"{len(set(guessed)):,} folders are taken as patients; --patient_pattern names "
            "others, and an empty one none"
        ]  # fmt: skip
    samples = [
        make_sample(
            placed.file.path,
            placed.file.name,
            pattern=pattern,
            known={SINGLE: placed.label, "split": placed.split, "patient": patient},
        )
        for placed, patient in zip(files, patients)
    ]
    if ignored := [name for name in _OF_MANIFESTS if getattr(options, name) is not None]:
        notes.append(f"{', '.join(ignored)} ignored, because {root} is not a manifest")
    name = ARCHIVE_SUFFIX.sub("", root.resolve().name)
    return Cohort(name, tuple(samples), (*layout.notes, *notes), patients_by_folder=bool(guessed))


def label_names(options: CollectionOptions) -> tuple[str, ...]:
    """Return the names of the columns that are read as labels; empty for the single label `label`."""
    return tuple(Column.parse(text).name for text in options.labels or ())


def _label_columns(manifest: Manifest, options: CollectionOptions) -> dict[str, str]:
    """Return the column of each label by its name: the chosen ones, or one with a usual name.

    Raises:
        CohortError: If there is none.
    """
    if names := label_names(options):
        return {name: find_column(manifest.columns, (), chosen=name, file=manifest.file) or name for name in names}
    column = find_column(manifest.columns, LABEL_NAMES, chosen=options.label_column, file=manifest.file)
    if column is None:
        raise CohortError(
            f"{manifest.file} needs the columns path and label; the other columns are "
            f"{', '.join(manifest.columns) or 'missing'}. Name the column of the classes with --label_column, or "
            "several columns with --labels."
        )
    return {SINGLE: column}


def _from_manifest(file: Path, pattern: re.Pattern[str], options: CollectionOptions) -> Cohort:
    content = read_file(file)
    if (images := image_rows(content)) is not None:
        found, lines = hub_samples(images, file.name, pattern=pattern, labels=label_names(options))
        return Cohort(file.stem, tuple(found), tuple(lines))
    manifest = read_manifest(content, options, file=file.name)
    labels = _label_columns(manifest, options)
    columns = {key: find_column(manifest.columns, names) for key, names in _COLUMNS.items()}
    root, passed, remarks = Path(options.root or file.parent), manifest.passed, Tally()
    if not os.path.exists(root) and in_archive(file) is None:
        raise CohortError(f"The folder {root} does not exist; check the option root.")
    places, moved_note = _places(manifest, root)
    rows = []
    for row in manifest.rows:
        if all(row.values[column] is None for column in labels.values()):
            passed.add("row without a label", row.where)
        elif row.path not in places:
            passed.add("row whose file is missing", f"{row.where}: {row.path}")
        else:
            rows.append(row)
    rows = _distinct(rows, labels.values(), passed=passed, remarks=remarks)
    patients, lines = patients_of([row.path for row in rows], options.patient_pattern)
    samples: dict[str, Sample] = {}
    for row, patient in zip(rows, patients):
        values = {name: row.values[column] for name, column in labels.items()}
        known: dict[str, Any] = {key: row.values.get(column) for key, column in columns.items() if column}
        known |= {SINGLE: values.get(SINGLE), "split": row.split, "patient": patient or row.patient}
        known["size_mm"] = number_of(known.get("size_mm"), row.where, wrong=remarks)
        name = row.path if row.path not in samples else f"{row.path} ({row.where})"
        named = values if options.labels else {}
        path = places[row.path]
        samples[name] = make_sample(path, name, pattern=pattern, known=known, labels=named, file=row.path)
    unread = [name for name in manifest.columns if name not in {*labels.values(), *columns.values()}]
    if passed.total():
        total = passed.total() + len(samples)
        lines.append(f"{passed.total():,} of {total:,} rows passed over: {passed}")
    if remarks.total():
        lines.append(str(remarks))
    if unread:
        lines.append(f"columns not read: {', '.join(unread)}")
    notes = (*manifest.notes, *moved_note, *(f"{file.name}: {line}" for line in lines))
    name = ARCHIVE_SUFFIX.sub("", file.resolve().parent.name) if file.name == MANIFEST_FILE else file.stem
    return Cohort(name, tuple(samples.values()), notes)


def _distinct(rows: Sequence[Row], labels: Collection[str], *, passed: Tally, remarks: Tally) -> list[Row]:
    """Return the rows without repetitions; contradictions between rows of one file are counted in `remarks`."""
    kept: list[Row] = []
    known: dict[str, list[tuple[str | None, ...]]] = defaultdict(list)
    for row in rows:
        where, values = f"{row.where}: {row.path}", tuple(row.values[column] for column in labels)
        earlier = known[row.path]
        if (row.split, *values) in earlier:
            passed.add("repeated row", where)
            continue
        if any(other[1:] != values for other in earlier):
            remarks.add("row with other labels than an earlier one of its file", where)
        earlier.append((row.split, *values))
        kept.append(row)
    return kept


def _places(manifest: Manifest, root: Path) -> tuple[dict[str, str], list[str]]:
    """Return where the file of each path is, without missing files, and a remark on those that have moved."""
    paths = dict.fromkeys(row.path for row in manifest.rows)
    places = {path: str(root / path) for path in paths if is_file(root / path)}
    missing = [path for path in paths if path not in places]
    moved = find_moved(missing, root) if missing else {}
    if not moved:
        return places, []
    old, new = next(iter(moved.items()))
    what = "without suffix" if new.startswith(f"{root / old}.") else "moved"
    line = f"{manifest.file}: {counted(len(moved), 'path')} {what}, found below {root} (for example {old} in {new})"
    return {**places, **moved}, [line]


def _checked(cohort: Cohort, *, strict: bool) -> Cohort:
    """Check that there are images; note the classes that a split lacks, and names without a source."""
    if not cohort.samples:
        seen = "; ".join(cohort.skipped) or "there are no files"
        raise CohortError(f"{cohort.name} contains no usable images: {seen}.")
    cohort = with_class_notes(cohort)
    unknown = sum(sample.source == sample.name for sample in cohort)
    if not unknown:
        return cohort
    if strict and unknown == len(cohort):
        raise CohortError(f"{cohort.name}: the source_pattern matches none of {unknown} file names; check it.")
    line = (
        f"{cohort.name}: {unknown} of {len(cohort)} names do not give a source slice; copies of these images are found "
        "only by visual similarity"
    )
    return replace(cohort, skipped=(*cohort.skipped, line))
