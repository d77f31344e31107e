"""Push a collection to the Hub as a dataset that keeps what each image is a copy of."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCardData

from spinealign.cohort.sample import SPLITS, Sample
from spinealign.config import POSITIVE_LABEL
from spinealign.errors import CohortError, require
from spinealign.imaging.identifiers import identifiers_in
from spinealign.imaging.kinds import suffix_of
from spinealign.repository import Commit, Repository

SHARD_BYTES = 400 * 1024**2
ROWS_AT_ONCE = 100  # they are one row group of the file, which a reader takes whole
NAMED = 10  # files that a message names
_HUB_SPLITS = {"val": "validation"}  # as datasets calls it
_SPLITS = tuple(_HUB_SPLITS.get(split, split) for split in SPLITS)


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
        CohortError: If there are no samples, or a file may tell who a patient is or is no image.
        UnreadableSliceError: If a file cannot be opened.
        HubError: If the Hub refuses or cannot be reached; it holds all of the push then, or nothing of it.
        MissingDependencyError: If datasets is not installed.
    """
    require("datasets", extra="train")
    if not samples:
        raise CohortError(f"{name} has no images to push.")
    _refuse_identifiers(samples)
    samples = _without_file_names(samples)
    repository = repository.checked()
    with tempfile.TemporaryDirectory(prefix="spinealign-") as folder:
        files: dict[str, Path | bytes] = {}
        features = _features(samples)
        for split in _splits(samples):
            part = [item for item in samples if _hub_split(item) == split]
            files |= _write_split(Path(folder), split, samples=part, features=features)
        files["README.md"] = _card(samples, name, repository.repo_id).encode()
        return repository.push(files, message=message, owned=[_data_files(split) for split in _SPLITS])


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


def _hub_split(sample: Sample) -> str:
    """Return the split of the dataset; images without one lie in `train`, and their column `split` stays empty."""
    return _HUB_SPLITS.get(sample.split or "train", sample.split or "train")


def _splits(samples: Sequence[Sample]) -> list[str]:
    present = {_hub_split(sample) for sample in samples}
    return [split for split in _SPLITS if split in present]


def _data_files(split: str) -> str:
    """Return the pattern of the names of our shards, and of no file of somebody else beside them."""
    digits = "[0-9]" * 5
    return f"data/{split}-{digits}-of-{digits}.parquet"


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


def _card(samples: Sequence[Sample], name: str, repo_id: str) -> str:
    """Return the card of the dataset: its files for the Hub, and for people what stands in it."""
    metadata = DatasetCardData(
        pretty_name=name,
        task_categories=["image-classification"],
        tags=["spinealign", "medical"],
        configs=[{
            "config_name": "default",
            "data_files": [{"split": split, "path": _data_files(split)} for split in _splits(samples)],
        }],
    )  # fmt: skip
    parts = {split: [item for item in samples if _hub_split(item) == split] for split in _splits(samples)}
    rows = [
        f"| {split} | {label} | {len(part)} | {len({item.source for item in part})} |"
        for split, items in parts.items()
        for label in sorted({item.label for item in items})
        if (part := [item for item in items if item.label == label])
    ]
    return "\n".join([
        f"---\n{metadata.to_yaml()}\n---\n\n# {name}\n",
        "Labelled images for research. **No decision about a person may rest on them.**\n",
        "| split | label | images | distinct sources |\n|---|---|---|---|",
        *rows,
        "\nImages with one `source` are copies of one slice: they belong into one part, and intervals count sources, "
        "not images. `series`, `patient` and `size_mm` (of the finding) are empty where they are not known; `split` is "
        "empty where the collection was not split.\n",
        f"```bash\nspinealign audit {repo_id}\nspinealign train --data_dir {repo_id}\n```\n",
        "Origin, licence and consent are for its owner to state here.\n",
    ])  # fmt: skip
