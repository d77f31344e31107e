"""Push a collection to the Hub as a dataset that keeps what each image is a copy of."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from spinealign.cohort.sample import SPLITS, Sample
from spinealign.config import POSITIVE_LABEL
from spinealign.errors import CohortError, require
from spinealign.hub.dataset_card import ALL_SPLITS, card_after, data_files, hub_split, splits_of
from spinealign.hub.repository import Commit, Content, Repository
from spinealign.privacy.identifiers import identifiers_in
from spinealign.reading.kinds import suffix_of

SHARD_BYTES = 400 * 1024**2
ROWS_AT_ONCE = 100  # they are one row group of the file, which a reader takes whole
NAMED = 10  # files that a message names


def publish(samples: Sequence[Sample], name: str, *, repository: Repository, message: str) -> Commit:
    """Push images with label, source, series, split, patient and size, in one commit.

    Args:
        samples: The images; their files go up as they are.
        name: Name of the collection.
        repository: A dataset repository.
        message: What the commit is called.

    Returns:
        The commit.

    Raises:
        CohortError: If there are no samples, one is in an unknown split, a file may tell who a patient is, or is no
            image.
        UnreadableSliceError: If a file cannot be opened.
        HubError: If the Hub refuses or cannot be reached; it holds all of the push then, or nothing of it.
        MissingDependencyError: If datasets is not installed.
    """
    require("datasets", extra="train")
    if not samples:
        raise CohortError(f"{name} has no images to push.")
    unknown = sorted({str(sample.split) for sample in samples if sample.split not in (None, *SPLITS)})
    if unknown:
        raise CohortError(f"{name} has images in {', '.join(unknown)}; the splits are {', '.join(SPLITS)}.")
    _refuse_identifiers(samples)
    samples = _without_file_names(samples)
    repository = repository.checked()
    with tempfile.TemporaryDirectory(prefix="spinealign-") as folder:
        files: dict[str, Content] = {}
        features = _features(samples)
        for split in splits_of(samples):
            part = [item for item in samples if hub_split(item) == split]
            files |= _write_split(Path(folder), split, samples=part, features=features)
        files["README.md"] = partial(card_after, samples=samples, name=name, repo_id=repository.repo_id)
        return repository.push(files, message=message, owned=[data_files(split) for split in ALL_SPLITS])


def _refuse_identifiers(samples: Sequence[Sample]) -> None:
    found = {sample.name: names for sample in samples if (names := identifiers_in(sample.read()))}
    if found:
        named = "; ".join(f"{name} ({', '.join(names)})" for name, names in list(found.items())[:NAMED])
        more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
        raise CohortError(
            f"{len(found)} of {len(samples)} files hold what may tell who a patient is, and nothing was pushed: {named}"
            f"{more}. Take it out (of DICOM with a de-identification tool, of PNG and JPEG by saving pixels alone), "
            "leave out what is no image, index the collection again, and push then."
        )


def _without_file_names(samples: Sequence[Sample]) -> list[Sample]:
    """Number the sources that are named after files, for the name of a file may be that of a patient."""
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


def _write_split(folder: Path, split: str, *, samples: Sequence[Sample], features: Any) -> dict[str, Path | bytes]:
    """Write one split as Parquet files of limited size; a few images are in memory at a time."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = features.arrow_schema  # it tells datasets what the columns are
    shards = list(_shards(samples))
    written: dict[str, Path | bytes] = {}
    for number, shard in enumerate(shards):
        name = f"{split}-{number:05d}-of-{len(shards):05d}"
        with ParquetWriter(folder / name, schema) as writer:
            for start in range(0, len(shard), ROWS_AT_ONCE):
                part = enumerate(shard[start : start + ROWS_AT_ONCE], start)
                # The name of a file may be that of a patient, so a number goes in its place.
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
