"""Reader of manifests: tables with one row per image, as delimited text or Parquet."""

from __future__ import annotations

import codecs
import csv
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spinealign.cohort.cohort import SPLITS
from spinealign.cohort.options import CollectionOptions
from spinealign.errors import CohortError, require
from spinealign.reading.discovery import natural_key
from spinealign.reading.tally import Tally

SPLIT_NAMES = {
    "train": "train", "training": "train",
    "calibration": "calibration", "cal": "calibration",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
# Names of columns without case, spaces and punctuation; the first that is present is read.
PATH_NAMES = (
    "path", "filepath", "imagepath", "imgpath", "file", "filename", "imagefile", "imagefilename", "image", "imagename",
    "img", "imgname", "dicom", "dicompath", "dicomfile", "relativepath", "imageid", "imgid", "dicomid", "imageindex",
)  # fmt: skip
LABEL_NAMES = ("label", "labels", "class", "classname", "classlabel", "category", "target", "diagnosis", "finding")
_PATIENT_NAMES = (
    "patient", "patientid", "patientname", "patientnumber", "patientkey", "pid", "mrn", "subject", "subjectid",
    "participant", "participantid", "person", "personid", "case", "caseid", "study", "studyid", "studyinstanceuid",
    "studyuid", "exam", "examid", "accession", "accessionnumber",
)  # fmt: skip
_FOLD_COLUMNS = ("split", "fold", "folds", "kfold", "cvfold")
_SPLIT_COLUMNS = ("split", "datasplit", "set", "subset", "partition", "phase", "usage", *_FOLD_COLUMNS[1:])
_MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "<na>", "null"})
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class Row:
    """One image of a manifest.

    Attributes:
        where: Place in the file for messages, such as `line 3`.
        path: Path as it is written, with forward slashes.
        patient: Patient, if known.
        split: One of `SPLITS`, if known.
        values: The values of all other columns by their names in the file; None if missing.
    """

    where: str
    path: str
    patient: str | None
    split: str | None
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class Manifest:
    """Content of a manifest.

    Attributes:
        file: Name of the file.
        rows: The rows with a path and a usable split.
        columns: Names of the columns that are not read here, in the order of the file.
        passed: Rows that were passed over.
        notes: Remarks, such as how folds became splits.
    """

    file: str
    rows: tuple[Row, ...]
    columns: tuple[str, ...]
    passed: Tally
    notes: tuple[str, ...] = ()


def read_manifest(content: bytes, options: CollectionOptions, *, file: str) -> Manifest:
    """Read a table with one row per image, named `file` in messages; no image is opened.

    Text may be separated by commas, semicolons, tabs, vertical bars or, as R writes it, spaces, and encoded as UTF-8,
    UTF-16 or Windows-1252. `NA`, `N/A`, `nan`, `null` and empty values are missing. Integer folds become splits: the
    test fold (an option), the next one as val, and train. The usual names of columns are recognized in any case.

    Raises:
        CohortError: If it is not a table, has no column of paths, no row, or no known split.
        MissingDependencyError: If it is Parquet and datasets is not installed.
    """
    passed = Tally()
    if content.startswith(_PARQUET):
        columns, table = _parquet_rows(content)
    else:
        columns, table = _text_rows(_decoded(content, file), file, passed)
    path_column = find_column(columns, PATH_NAMES, chosen=options.path_column, file=file)
    if not table:
        raise CohortError(f"{file} has {'a header and no rows' if columns else 'no content'}; write it again.")
    if path_column is None:
        raise CohortError(
            f"{file} needs a header with the columns path and label, and one row per image; it has the columns "
            f"{', '.join(columns)}. Name others with --path_column and --label_column."
        )
    patient_column = _patient_column(columns, table)
    split_column, split_of, note = _split_column(columns, table, options.test_fold, file)
    used = {path_column, patient_column, split_column}
    rest = tuple(column for column in columns if column not in used)
    rows: list[Row] = []
    for where, values in table:
        path = values[path_column]
        split = values[split_column] if split_column else None
        if path is None:
            passed.add("row without a path", where)
        elif split is not None and split not in split_of:
            passed.add("row with an unknown split", f"{where}: {split}")
        else:
            patient = values[patient_column] if patient_column else None
            if patient and patient.isdecimal():  # one table writes 0012 and another 12
                patient = patient.lstrip("0") or "0"
            remaining = {column: values[column] for column in rest}
            slashes = path.replace("\\", "/")
            rows.append(Row(where, slashes, patient, split_of.get(split or ""), remaining))
    if not rows:
        raise CohortError(f"{file} has no usable row: {passed}. The splits are {', '.join(SPLITS)}.")
    return Manifest(file, tuple(rows), rest, passed, (note,) if note else ())


def find_column(
    columns: Sequence[str], names: Sequence[str], *, chosen: str | None = None, file: str = "The manifest"
) -> str | None:
    """Return the column with the name that an option chose, or else with the first of the usual names, or None.

    Raises:
        CohortError: If there is no column of the chosen name.
    """
    plain = {_plain(column): column for column in reversed(columns)}
    if chosen is None:
        return next((plain[name] for name in names if name in plain), None)
    if chosen in columns:
        return chosen
    if _plain(chosen) in plain:
        return plain[_plain(chosen)]
    close = difflib.get_close_matches(chosen, columns, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise CohortError(f"{file} has no column {chosen!r}; it has {', '.join(columns)}.{hint}")


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


_Table = list[tuple[str, dict[str, str | None]]]


def _decoded(content: bytes, file: str) -> str:
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)
    if encoding is None and b"\0" in content[:2]:
        encoding = "utf-16-be" if content.startswith(b"\0") else "utf-16-le"
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        text = "\0" if encoding else content.decode("cp1252", errors="replace")
    if "\0" in text:
        raise CohortError(f"{file} is not a text file; save the manifest as CSV in UTF-8 or as Parquet.")
    return text


def _text_rows(text: str, file: str, passed: Tally) -> tuple[list[str], _Table]:
    lines = text.lstrip("\r\n").splitlines(keepends=True)
    if lines and (declared := re.fullmatch(r"sep=(.)\s*", lines[0])):  # Excel
        delimiter, lines = declared[1], lines[1:]
    else:
        delimiter = _delimiter(lines[0]) if lines else ","
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        found = [(f"line {reader.line_num}", row) for row in reader if any(value.strip() for value in row)]
    except csv.Error as error:
        raise CohortError(f"{file} cannot be read as a table: {error} (line {reader.line_num}).") from error
    if found and all(len(row) == len(header) + 1 for _, row in found):  # R names the rows, but not their column
        header = ["", *header]
    table: _Table = []
    for where, row in found:
        if any(value.strip() for value in row[len(header) :]):
            passed.add("row with too many values", where)
        else:
            table.append((where, _row(zip(header, [*row, *[""] * len(header)]))))
    return list(dict.fromkeys(name for name in header if name)), _without_decimals(table)


def _delimiter(header: str) -> str:
    counts = {mark: len(next(csv.reader([header], delimiter=mark))) for mark in (",", ";", "\t", "|", " ")}
    spaces = counts.pop(" ")
    best = max(counts, key=counts.__getitem__)
    return " " if counts[best] == 1 and spaces > 1 else best


def _row(pairs: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    for name, value in pairs:
        text = value.strip()
        values.setdefault(name, None if text.casefold() in _MISSING else text)
    return values


def _without_decimals(table: _Table) -> _Table:
    """Return integers without `.0`, which pandas writes in a column with missing values, and Excel as `,0`."""
    for column in table[0][1] if table else ():
        values = [row[column] for _, row in table if row[column] is not None]
        if values and all(value and re.fullmatch(r"-?\d+([.,]0)?", value) for value in values):
            for _, row in table:
                row[column] = re.sub("[.,]0$", "", row[column] or "") or None
    return table


def image_rows(content: bytes) -> Any | None:
    """Return a Parquet file that contains images as a `datasets.Dataset`; None for other files.

    Raises:
        CohortError: If it is damaged.
        MissingDependencyError: If it is Parquet and datasets is not installed.
    """
    if not content.startswith(_PARQUET):
        return None
    table = _parquet_table(content)
    from datasets import Dataset, Image

    rows = Dataset(table)
    return rows if any(isinstance(kind, Image) for kind in rows.features.values()) else None


def _parquet_table(content: bytes) -> Any:
    require("datasets", extra="train")
    import pyarrow as pa
    from pyarrow.parquet import read_table

    try:
        return read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise CohortError(
            f"The Parquet file is damaged ({type(error).__name__}); write or download it again."
        ) from None


def _parquet_rows(content: bytes) -> tuple[list[str], _Table]:
    table = _parquet_table(content)
    rows: _Table = [
        (f"row {number}", _row((name, "" if value is None else str(value)) for name, value in row.items()))
        for number, row in enumerate(table.to_pylist(), start=1)
    ]
    return list(table.column_names), _without_decimals(rows)


def _split_column(
    columns: Sequence[str], table: _Table, test_fold: str | None, file: str
) -> tuple[str | None, Mapping[str, str], str]:
    """Return the column of the splits, the split of each of its known values, and a remark."""
    for column in (column for name in _SPLIT_COLUMNS for column in columns if _plain(column) == name):
        values = sorted({value for _, row in table if (value := row[column]) is not None}, key=natural_key)
        words = {value: SPLIT_NAMES[value.lower()] for value in values if value.lower() in SPLIT_NAMES}
        foldlike = _plain(column) in _FOLD_COLUMNS and bool(values) and all(value.isdecimal() for value in values)
        if test_fold in values or (test_fold is None and foldlike):
            return column, *_from_folds(values, test_fold or values[0], f"{file}: column {column}")
        if test_fold is None and (2 * len(words) > len(values) or _plain(column) == "split"):
            return column, words, ""
    if test_fold is not None:
        raise CohortError(f"{file} has no fold {test_fold!r} in a column named fold or split.")
    return None, {}, ""


def _from_folds(folds: Sequence[str], test: str, where: str) -> tuple[dict[str, str], str]:
    """Return the split of each fold: the test fold, the next one as val if another one is left, and train."""
    others = [*folds[folds.index(test) + 1 :], *folds[: folds.index(test)]]
    split_of = {fold: "val" if others[1:] and fold == others[0] else "train" for fold in others} | {test: "test"}
    parts = (
        f"{part} is {', '.join(fold for fold in folds if split_of[fold] == part)}"
        for part in ("test", "val", "train")
        if part in split_of.values()
    )
    return split_of, f"{where} has folds: {'; '.join(parts)} (--test_fold chooses another test fold)"


def _patient_column(columns: Sequence[str], table: _Table) -> str | None:
    """Return the column of the patients; a column such as case may also be the finding, or the name of the study."""
    column = find_column(columns, _PATIENT_NAMES)
    if column is None or _plain(column) not in ("case", "study", "exam", "person"):
        return column
    return column if len({row[column] for _, row in table}) > 2 else None
