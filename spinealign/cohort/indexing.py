"""Index of the images in a folder, a manifest or a Hub dataset."""

from __future__ import annotations

import csv
import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinealign.cohort.cohort import SPLITS, Cohort, Sample
from spinealign.cohort.rsna2022 import index_rsna2022, is_rsna2022
from spinealign.config import MANIFEST_FILE, NEGATIVE_LABEL, POSITIVE_LABEL
from spinealign.errors import CohortError, require
from spinealign.hub_errors import explain
from spinealign.reading.slices import IMAGE_SUFFIXES

_SPLIT_NAMES = {
    "train": "train", "training": "train",
    "calibration": "calibration", "cal": "calibration",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# "CSFDV1B10 (18)-sharpened-rotated3.png" is variant "sharpened-rotated3" of slice 18 of series CSFDV1B10.
# Only series of this set are recognized: names such as "image (1)" may belong to any file.
COPY_PATTERN = r"^(?P<source>(?P<series>CS[A-Z]+\d+B\d+) ?\((?P<slice>\d+)\))(?:-(?:sharpened|rotated)\d*)*$"


def index_cohort(data: str | Path, *, source_pattern: str | None = None) -> Cohort:
    """Index a collection; no image is opened.

    Args:
        data: A folder `{train,val,test}/{class}/*` or `{class}/*`, a folder with a `manifest.csv`, a CSV manifest, the
            folder of the RSNA 2022 competition (see `Cohort.from_rsna2022`), or the id of a Hub dataset. A manifest has
            the columns `path` (relative to it), `label` and, if known, `split`, `source`, `series`, `patient` and
            `size_mm`.
        source_pattern: Regular expression for file names without suffix, with a group `source` and, optionally,
            `series`; None selects that of the "cervical fracture" set.

    Returns:
        The samples in a fixed order; `skipped` lists the other files, with the reason.

    Raises:
        CohortError: If the collection does not exist or has no images, or its classes differ between splits.
        ValueError: If the pattern is invalid.
    """
    pattern = _compiled(source_pattern)
    path = Path(data)
    if os.path.isfile(path):  # unlike the methods of Path, these do not raise
        cohort = _from_manifest(path, pattern)
    elif os.path.isfile(path / MANIFEST_FILE):
        cohort = _from_manifest(path / MANIFEST_FILE, pattern)
    elif is_rsna2022(path):
        cohort = index_rsna2022(path)
    elif os.path.isdir(path):
        cohort = _from_folder(path, pattern)
    elif _HUB_ID.fullmatch(str(data)):
        cohort = _from_hub(str(data), pattern)
    else:
        raise CohortError(f"Found no folder, manifest or Hub dataset {str(data)!r}; check the path.")
    return _checked(cohort, strict=source_pattern is not None)


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
    splits = [folder for folder in folders if folder.name.lower() in _SPLIT_NAMES]
    skipped = [f"{folder.name}/: not a split folder" for folder in folders if splits and folder not in splits]
    classes: list[tuple[str | None, Path]] = [(split.name, folder) for split in splits for folder in _subfolders(split)]
    if not splits:
        classes = [(None, folder) for folder in folders]
    loose = sorted(path for folder in (root, *splits) for path in folder.iterdir() if _is_image(path))
    skipped += [f"{path.relative_to(root).as_posix()}: not in a class folder" for path in loose]
    if not classes:
        raise CohortError(f"{root} has no class folders; expected for example {POSITIVE_LABEL}/ and {NEGATIVE_LABEL}/.")
    samples: list[Sample] = []
    for split, folder in classes:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        skipped += [f"{path.relative_to(root)}: not an image file" for path in files if not _is_image(path)]
        images = [path for path in files if _is_image(path)]
        if not images:
            raise CohortError(f"The class folder {folder} contains no images; add some or remove it.")
        known = {"label": folder.name, "split": split}
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
    if split is not None and split.strip().lower() not in _SPLIT_NAMES:
        raise CohortError(f"{where}: unknown split {split!r}; use one of {', '.join(SPLITS)}.")
    try:
        size_mm = None if size_mm in (None, "") else float(size_mm)
    except ValueError:
        raise CohortError(f"{where}: size_mm {size_mm!r} is not a number.") from None
    return Sample(
        image,
        str(known["label"]).strip().lower(),
        known.get("source") or named.get("source") or name,
        known.get("series") or named.get("series"),
        split and _SPLIT_NAMES[split.strip().lower()],
        name,
        size_mm,
        known.get("patient") or None,
    )


def _from_manifest(manifest: Path, pattern: re.Pattern[str]) -> Cohort:
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"{manifest} cannot be read as CSV in UTF-8: {type(error).__name__}.") from error
    if not rows or not {"path", "label"} <= rows[0].keys():
        raise CohortError(f"{manifest} needs a header with the columns path and label, and one row per image.")
    skipped: list[str] = []
    samples: list[Sample] = []
    for number, row in enumerate(rows, start=2):
        where, path = f"{manifest.name} line {number}", manifest.parent / (row["path"] or "")
        if not (row["label"] or "").strip():
            skipped.append(f"{where}: no label")
        elif not path.is_file():
            skipped.append(f"{where}: no such file")
        else:
            samples.append(_sample(str(path), row["path"], path.stem, pattern, row, where))
    name = manifest.resolve().parent.name if manifest.name == MANIFEST_FILE else manifest.stem
    return Cohort(name, tuple(samples), tuple(skipped))


def _from_hub(dataset_id: str, pattern: re.Pattern[str]) -> Cohort:
    require("datasets", extra="train")
    from datasets import load_dataset

    try:
        splits = load_dataset(dataset_id)
    except Exception as error:  # from the network, the client or the file format
        raise CohortError(
            f"Found no folder {dataset_id}, and no Hub dataset of this name could be loaded; check the name, your "
            f"access (hf auth login) and the network. {explain(error, dataset_id)}"
        ) from error
    found = [hub_samples(splits[split], split, pattern=pattern) for split in splits]
    samples, skipped = (tuple(item for part in parts for item in part) for parts in zip(*found))
    return Cohort(dataset_id, samples, skipped)


def hub_samples(rows: Any, split: str, *, pattern: re.Pattern[str]) -> tuple[list[Sample], list[str]]:
    """Return the samples of a `datasets.Dataset`, and a message for each row without image or label.

    Raises:
        CohortError: If columns are missing, or a split or size is invalid.
    """
    from datasets import ClassLabel, Image

    image_columns = [name for name, kind in rows.features.items() if isinstance(kind, Image)]
    label_column = next((name for name in ("label", "labels") if name in rows.features), None)
    if len(image_columns) != 1 or label_column is None:
        raise CohortError(f"Split {split} needs one image column and a column named label; it has {rows.column_names}.")
    names = rows.features[label_column]
    known_split = {"split": split} if split.lower() in _SPLIT_NAMES else {}
    samples: list[Sample] = []
    skipped: list[str] = []
    for number, row in enumerate(rows.cast_column(image_columns[0], Image(decode=False))):
        name, image, label = f"{split} row {number}", row[image_columns[0]], row[label_column]
        if isinstance(names, ClassLabel):
            label = None if label is None or label < 0 else names.int2str(label)
        if image is None or label is None:
            skipped.append(f"{name}: no {'image' if image is None else 'label'}")
            continue
        content = image["path"] if image["bytes"] is None else image["bytes"]
        known = {**known_split, **row, "label": label}
        samples.append(_sample(content, name, Path(image["path"] or "").stem, pattern, known, name))
    return samples, skipped


def _checked(cohort: Cohort, *, strict: bool) -> Cohort:
    """Check that there are images and that all splits have the same classes; report names without a source."""
    if not cohort.samples:
        raise CohortError(f"{cohort.name} contains no images; expected PNG, JPEG or DICOM files.")
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
