"""Push of a cohort to the Hub as a dataset."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from spinealign.cohort.cohort import Cohort
from spinealign.cohort.sample import SPLITS, Sample
from spinealign.config import POSITIVE_LABEL
from spinealign.errors import CohortError, require
from spinealign.hub.repository import Commit, Content, Repository
from spinealign.privacy.identifiers import identifiers_in
from spinealign.reading.kinds import suffix_of
from spinealign.reporting.dataset_card import ALL_SPLITS, card_after, data_files, hub_split, splits_of

MESSAGE = "Upload with spinealign"
SHARD_BYTES = 400 * 1024**2
GROUP_ROWS = 100  # rows of a Parquet row group, which readers load as a whole
LISTED = 10  # files that a message lists


def push_dataset(
    cohort: Cohort,
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    token: str | None = None,
    message: str = MESSAGE,
) -> Commit:
    """Push a cohort; see `Cohort.push_to_hub`."""
    require("datasets", extra="train")
    repository = Repository(repo_id, kind="dataset", revision=revision, private=private, token=token)
    _check(cohort)
    samples = _without_file_names(cohort.samples)
    repository = repository.checked()
    with tempfile.TemporaryDirectory(prefix="spinealign-") as folder:
        files: dict[str, Content] = {}
        features = _features(samples)
        for split in splits_of(samples):
            part = [item for item in samples if hub_split(item) == split]
            files |= _write_split(Path(folder), split, samples=part, features=features)
        files["README.md"] = partial(card_after, samples=samples, name=cohort.name, repo_id=repository.repo_id)
        return repository.push(files, message=message, owned=[data_files(split) for split in ALL_SPLITS])


def _check(cohort: Cohort) -> None:
    if not cohort.samples:
        raise CohortError(f"{cohort.name} has no images to push.")
    unknown = sorted({str(sample.split) for sample in cohort if sample.split not in (None, *SPLITS)})
    if unknown:
        raise CohortError(f"{cohort.name} has images in {', '.join(unknown)}; the splits are {', '.join(SPLITS)}.")
    found = {sample.name: names for sample in cohort if (names := identifiers_in(sample.read()))}
    if found:
        listed = "; ".join(f"{name} ({', '.join(names)})" for name, names in list(found.items())[:LISTED])
        more = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
        raise CohortError(
            f"{len(found)} of {len(cohort)} files may identify a patient or are not images, and nothing was pushed: "
            f"{listed}{more}. De-identify DICOM files, save PNG and JPEG files without metadata, remove files that are "
            "not images, index the collection again, then push."
        )


def _without_file_names(samples: Sequence[Sample]) -> list[Sample]:
    """Replace source names that are file names, which may contain the name of a patient, by numbers."""
    names = {sample.name for sample in samples}
    taken = {sample.source for sample in samples}
    free = (name for index in count(1) if (name := f"source {index}") not in taken)
    number: dict[str, str] = {}
    for sample in samples:
        if any(part in names for part in sample.source.split(" = ")):
            number.setdefault(sample.source, next(free))
    return [replace(sample, source=number.get(sample.source, sample.source)) for sample in samples]


def _features(samples: Sequence[Sample]) -> Any:
    from datasets import ClassLabel, Features, Image, Value

    labels = sorted({sample.label for sample in samples}, key=lambda label: (label == POSITIVE_LABEL, label))
    text = {column: Value("string") for column in ("source", "series", "split", "patient")}
    return Features({"image": Image(), "label": ClassLabel(names=labels), **text, "size_mm": Value("float64")})


def _write_split(folder: Path, split: str, *, samples: Sequence[Sample], features: Any) -> dict[str, Content]:
    """Write a split as Parquet files of limited size, with few images in memory at a time."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = features.arrow_schema  # with the column types of datasets
    shards = list(_shards(samples))
    written: dict[str, Content] = {}
    for number, shard in enumerate(shards):
        name = f"{split}-{number:05d}-of-{len(shards):05d}"
        with ParquetWriter(folder / name, schema) as writer:
            for start in range(0, len(shard), GROUP_ROWS):
                part = enumerate(shard[start : start + GROUP_ROWS], start)
                # The name of a file may contain that of a patient, so images are numbered.
                rows = [_row(sample, f"{name}-{place}", features["label"]) for place, sample in part]
                writer.write_table(pa.Table.from_pylist(rows, schema))
        written[f"data/{name}.parquet"] = folder / name
    return written


def _shards(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    shard: list[Sample] = []
    size = 0
    for sample in samples:
        shard.append(sample)
        size += len(sample.image) if isinstance(sample.image, bytes) else os.stat(sample.image).st_size
        if size >= SHARD_BYTES:
            yield shard
            shard, size = [], 0
    if shard:
        yield shard


def _row(sample: Sample, name: str, labels: Any) -> dict[str, Any]:
    content = sample.read()
    return {
        "image": {"bytes": content, "path": f"{name}{suffix_of(content)}"},
        "label": labels.str2int(sample.label),
        "source": sample.source,
        "series": sample.series,
        "split": sample.split,
        "patient": sample.patient,
        "size_mm": sample.size_mm,
    }
