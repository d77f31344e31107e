"""Index of the images in a folder, a manifest or a Hub dataset."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinealign.cohort.cohort import SPLITS, Cohort, Sample
from spinealign.cohort.manifest import LABEL_NAMES, SPLIT_NAMES, Manifest, find_column, read_manifest
from spinealign.cohort.options import CollectionOptions
from spinealign.cohort.rsna2022 import index_rsna2022, is_rsna2022
from spinealign.cohort.targets import Column
from spinealign.config import MANIFEST_FILE, POSITIVE_LABEL
from spinealign.errors import CohortError, require
from spinealign.hub_errors import explain
from spinealign.labels import SINGLE
from spinealign.reading.slices import IMAGE_SUFFIXES
from spinealign.reading.tally import Tally

_COLUMNS = {
    "source": ("source", "sourceid", "sourceslice"),
    "series": ("series", "seriesid", "seriesuid", "seriesinstanceuid"),
    "size_mm": ("sizemm",),
}  # of a manifest, without case, spaces and punctuation
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# "CSFDV1B10 (18)-sharpened-rotated3.png" is variant "sharpened-rotated3" of slice 18 of series CSFDV1B10.
# Only series of this set are recognized: names such as "image (1)" may belong to any file.
COPY_PATTERN = r"^(?P<source>(?P<series>CS[A-Z]+\d+B\d+) ?\((?P<slice>\d+)\))(?:-(?:sharpened|rotated)\d*)*$"


def index_cohort(data: str | Path, options: CollectionOptions | None = None) -> Cohort:
    """Index a collection; no image is opened.

    Args:
        data: A folder `{train,val,test}/{class}/*` or `{class}/*`, a folder with a `manifest.csv`, a manifest, the
            folder of the RSNA 2022 competition (see `Cohort.from_rsna2022`), or the id of a Hub dataset. A manifest is
            a table, as `read_manifest` reads it, with the columns `path`, `label` and, if known, `split`, `source`,
            `series`, `patient` and `size_mm`. With the option `labels`, the named columns are read in place of `label`;
            empty cells are missing values, and rows without any value are passed over.
        options: How the collection is read.

    Returns:
        The samples in a fixed order; `skipped` counts what was passed over, with the reason.

    Raises:
        CohortError: If the collection does not exist or has no images, or its classes differ between splits.
        ValueError: If a pattern is invalid.
    """
    options = options or CollectionOptions()
    pattern = _compiled(options.source_pattern)
    path = Path(data)
    if os.path.isfile(path):  # unlike the methods of Path, these do not raise
        cohort = _from_manifest(path, pattern, options)
    elif os.path.isfile(path / MANIFEST_FILE):
        cohort = _from_manifest(path / MANIFEST_FILE, pattern, options)
    elif options.labels and os.path.isdir(path):
        raise CohortError(f"{path} has no columns {', '.join(options.labels)}: it has no {MANIFEST_FILE}.")
    elif is_rsna2022(path):
        cohort = index_rsna2022(path)
    elif os.path.isdir(path):
        cohort = _from_folder(path, pattern)
    elif _HUB_ID.fullmatch(str(data)):
        cohort = _from_hub(str(data), pattern, label_names(options))
    else:
        raise CohortError(f"Found no folder, manifest or Hub dataset {str(data)!r}; check the path.")
    return _checked(_spelled_alike(cohort), strict=options.source_pattern is not None)


def _compiled(pattern: str | None) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern or COPY_PATTERN)
    except re.error as error:
        raise ValueError(f"source_pattern {pattern!r} is not a regular expression: {error}.") from error
    if "source" not in compiled.groupindex:
        raise ValueError(f"source_pattern {pattern!r} needs a group (?P<source>...); (?P<series>...) is optional.")
    return compiled


def _from_folder(root: Path, pattern: re.Pattern[str]) -> Cohort:
    folders = _subfolders(root)
    splits = [folder for folder in folders if folder.name.lower() in SPLIT_NAMES]
    skipped = [f"{folder.name}/: not a split folder" for folder in folders if splits and folder not in splits]
    classes: list[tuple[str | None, Path]] = [(split.name, folder) for split in splits for folder in _subfolders(split)]
    if not splits:
        classes = [(None, folder) for folder in folders]
    loose = sorted(path for folder in (root, *splits) for path in folder.iterdir() if _is_image(path))
    skipped += [f"{path.relative_to(root).as_posix()}: not in a class folder" for path in loose]
    if not classes:
        raise CohortError(f"{root} has no class folders; expected one folder for each class.")
    samples: list[Sample] = []
    for split, folder in classes:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        skipped += [f"{path.relative_to(root)}: not an image file" for path in files if not _is_image(path)]
        images = [path for path in files if _is_image(path)]
        if not images:
            raise CohortError(f"The class folder {folder} contains no images; add some or remove it.")
        known = {SINGLE: folder.name.strip(), "split": split}
        samples += [_sample(str(path), path.relative_to(root).as_posix(), path.stem, pattern, known) for path in images]
    return Cohort(root.resolve().name, tuple(samples), tuple(skipped))


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "_")))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _sample(
    image: str | bytes, name: str, stem: str, pattern: re.Pattern[str], known: Mapping[str, Any], where: str = ""
) -> Sample:
    """Return a sample; `known` has the columns of a manifest, and `where` names them in messages."""
    match = pattern.search(stem)
    named = match.groupdict() if match and match["source"] else {}
    split, size_mm = known.get("split") or None, known.get("size_mm")
    if split is not None and split.strip().lower() not in SPLIT_NAMES:
        raise CohortError(f"{where}: unknown split {split!r}; use one of {', '.join(SPLITS)}.")
    try:
        size_mm = None if size_mm in (None, "") else float(size_mm)
    except ValueError:
        raise CohortError(f"{where}: size_mm {size_mm!r} is not a number.") from None
    return Sample(
        image,
        known.get(SINGLE),
        known.get("source") or named.get("source") or name,
        known.get("series") or named.get("series"),
        split and SPLIT_NAMES[split.strip().lower()],
        name,
        size_mm,
        known.get("patient") or None,
    )


def label_names(options: CollectionOptions) -> tuple[str, ...]:
    """Return the names of the columns that are read as labels; empty for the single label `label`."""
    return tuple(Column.parse(text).name for text in options.labels or ())


def _with_labels(sample: Sample, labels: Mapping[str, str | None]) -> Sample:
    """Return a sample with the labels that were requested by name, if any."""
    label = next(iter(labels.values())) if len(labels) == 1 else None
    return replace(sample, label=label, labels=labels) if labels else sample


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
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CohortError(f"{file} cannot be opened: {error.strerror}.") from error
    manifest = read_manifest(content, options, file=file.name)
    labels = _label_columns(manifest, options)
    columns = {key: find_column(manifest.columns, names) for key, names in _COLUMNS.items()}
    root, passed, sizes = Path(options.root or file.parent), manifest.passed, Tally()
    samples: dict[str, Sample] = {}
    for row in manifest.rows:
        path = root / row.path
        known = {key: row.values.get(column) for key, column in columns.items() if column}
        values = {name: row.values[column] for name, column in labels.items()}
        if all(value is None for value in values.values()):
            passed.add("row without a label", row.where)
        elif not os.path.isfile(path):
            passed.add("row whose file is missing", f"{row.where}: {row.path}")
        else:
            if (size := known.get("size_mm")) is not None and not _is_number(size):
                sizes.add("size that is not a number", f"{row.where}: {size}")
                known["size_mm"] = None
            name = row.path if row.path not in samples else f"{row.path} ({row.where})"
            known |= {SINGLE: values.get(SINGLE), "split": row.split, "patient": row.patient}
            sample = _sample(str(path), name, path.stem, pattern, known)
            samples[name] = _with_labels(sample, values if options.labels else {})
    unread = [name for name in manifest.columns if name not in {*labels.values(), *columns.values()}]
    notes = list(manifest.notes)
    if passed.total():
        total = passed.total() + len(samples)
        notes.append(f"{file.name}: {passed.total()} of {total} rows passed over: {passed}")
    if sizes.total():
        notes.append(f"{file.name}: not read: {sizes}")
    if unread:
        notes.append(f"{file.name}: columns not read: {', '.join(unread)}")
    name = file.resolve().parent.name if file.name == MANIFEST_FILE else file.stem
    return Cohort(name, tuple(samples.values()), tuple(notes))


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _from_hub(dataset_id: str, pattern: re.Pattern[str], labels: Sequence[str]) -> Cohort:
    require("datasets", extra="train")
    from datasets import load_dataset

    try:
        splits = load_dataset(dataset_id)
    except Exception as error:  # from the network, the client or the file format
        raise CohortError(
            f"Found no folder {dataset_id}, and no Hub dataset of this name could be loaded; check the name, your "
            f"access (hf auth login) and the network. {explain(error, dataset_id)}"
        ) from error
    found = [hub_samples(splits[split], split, pattern=pattern, labels=labels) for split in splits]
    samples, skipped = (tuple(item for part in parts for item in part) for parts in zip(*found))
    return Cohort(dataset_id, samples, skipped)


def hub_samples(
    rows: Any, split: str, *, pattern: re.Pattern[str], labels: Sequence[str] = ()
) -> tuple[list[Sample], list[str]]:
    """Return the samples of a `datasets.Dataset`, and a message for each row without image or label.

    Raises:
        CohortError: If columns are missing, or a split or size is invalid.
    """
    from datasets import ClassLabel, Image

    image_columns = [name for name, kind in rows.features.items() if isinstance(kind, Image)]
    single = next((name for name in (SINGLE, "labels") if name in rows.features), SINGLE)
    columns = labels or (single,)
    if len(image_columns) != 1 or not {*columns} <= rows.features.keys():
        raise CohortError(
            f"Split {split} needs one image column and the columns {', '.join(columns)}; it has {rows.column_names}. "
            "The option labels names the columns with labels."
        )

    def class_of(kind: Any, value: Any) -> str | None:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(kind, ClassLabel):
            return kind.int2str(value) if value >= 0 else None
        return (f"{value:g}" if isinstance(value, float) else str(value).strip()) or None

    known_split = {"split": split} if split.lower() in SPLIT_NAMES else {}
    samples: list[Sample] = []
    skipped: list[str] = []
    for number, row in enumerate(rows.cast_column(image_columns[0], Image(decode=False))):
        name, image = f"{split} row {number}", row[image_columns[0]]
        values = {column: class_of(rows.features[column], row[column]) for column in columns}
        if image is None or all(value is None for value in values.values()):
            skipped.append(f"{name}: no {'image' if image is None else 'label'}")
            continue
        content = image["path"] if image["bytes"] is None else image["bytes"]
        known = {**known_split, **row, SINGLE: values.get(single)}
        sample = _sample(content, name, Path(image["path"] or "").stem, pattern, known, name)
        samples.append(_with_labels(sample, values if labels else {}))
    return samples, skipped


def _spelled_alike(cohort: Cohort) -> Cohort:
    """Write classes that differ only in upper and lower case in lower case."""
    names = cohort.label_names
    spellings: dict[tuple[str, str], set[str]] = defaultdict(set)
    for sample in cohort:
        for name in names:
            if (value := sample.value(name)) is not None:
                spellings[name, value.lower()].add(value)

    def spelled(name: str, value: str | None) -> str | None:
        return value if value is None or len(spellings[name, value.lower()]) == 1 else value.lower()

    samples = (
        replace(
            sample,
            label=spelled(names[0], sample.label),
            labels={name: spelled(name, value) for name, value in sample.labels.items()},
        )
        for sample in cohort
    )
    return replace(cohort, samples=tuple(samples))


def _checked(cohort: Cohort, *, strict: bool) -> Cohort:
    """Check that there are images and that all splits have the same classes; report names without a source."""
    if not cohort.samples:
        seen = "; ".join(cohort.skipped) or "there are no files"
        raise CohortError(f"{cohort.name} contains no usable images: {seen}.")
    for split in cohort.splits:
        present = cohort.part(split).labels
        missing = sorted(set(cohort.labels) - set(present))
        close = [(name, near) for name in missing for near in difflib.get_close_matches(name, present, n=1)]
        if missing:
            raise CohortError(
                f"{cohort.name}: split {split} has the classes {', '.join(present)} but lacks {', '.join(missing)}."
                + "".join(f" Is {near!r} a misspelled {name!r}?" for name, near in close)
            )
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


def require_parts(cohort: Cohort) -> Cohort:
    """Check that the splits for training and for selecting the epoch have all classes.

    Raises:
        CohortError: If a class is missing in one of them.
    """
    for split in ("train", cohort.selection_split or "test"):
        missing = set(cohort.labels) - set(cohort.part(split).labels)
        if missing:
            raise CohortError(
                f"{cohort.name}: no image of {', '.join(sorted(missing))} is left in {split}. Copies of held-out "
                "sources may have been dropped from it; add images, or use split='source' for a new split."
            )
    return cohort


def require_binary(cohort: Cohort) -> None:
    """Check that the classes are a finding and its absence.

    Raises:
        CohortError: If there are not two classes, or none of them is `fracture`.
    """
    if len(cohort.labels) == 2 and POSITIVE_LABEL in cohort.labels:
        return
    close = difflib.get_close_matches(POSITIVE_LABEL, set(cohort.labels) - {POSITIVE_LABEL}, n=1)
    raise CohortError(
        f"{cohort.name} has the classes {', '.join(cohort.labels)}; training needs two, and {POSITIVE_LABEL!r} is the "
        "positive one." + "".join(f" Is {near!r} a misspelled {POSITIVE_LABEL!r}?" for near in close)
    )
