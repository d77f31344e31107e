"""Push of a cohort to the Hub as a dataset."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from spinealign.cohort.cohort import SPLITS, Cohort, Sample
from spinealign.errors import CohortError, ImageError, require
from spinealign.hub.repository import Commit, Content, Repository
from spinealign.labels import SINGLE, find_positive
from spinealign.privacy.rewriting import rewrite
from spinealign.reading.kinds import kind_of
from spinealign.reporting.dataset_card import ALL_SPLITS, card_after, data_files, hub_split, splits_of

logger = logging.getLogger(__name__)

SHARD_BYTES = 400 * 1024**2
GROUP_ROWS = 100  # images of a Parquet row group, which readers load as a whole
LISTED = 10  # files that a message lists
TEXT_COLUMNS = ("source", "series", "split", "patient")


def push_dataset(cohort: Cohort, repository: Repository, *, message: str) -> Commit:
    """Push a cohort; see `Cohort.push_to_hub`."""
    require("datasets", extra="train")
    if not cohort.samples:
        raise CohortError(f"{cohort.name} has no images to push.")
    unknown = sorted({str(sample.split) for sample in cohort if sample.split not in (None, *SPLITS)})
    if unknown:
        raise CohortError(f"{cohort.name} has images in {', '.join(unknown)}; the splits are {', '.join(SPLITS)}.")
    if taken := {"image", *TEXT_COLUMNS, "size_mm"} & {*cohort.label_names}:
        raise CohortError(f"{cohort.name}: a label cannot be named {', '.join(sorted(taken))}; rename the column.")
    repository = repository.checked()
    salt = hashlib.blake2b(digest_size=32)  # of the original files: secret, but equal in the next push
    for sample in cohort:
        with suppress(ImageError):  # of a missing file, which _write reports with all others
            salt.update(sample.read())
    samples = _without_file_names(cohort.samples)
    with tempfile.TemporaryDirectory(prefix="spinealign-") as folder:
        files: dict[str, Content] = {**_write(samples, Path(folder), salt.digest())}
        files["README.md"] = partial(card_after, samples=samples, name=cohort.name, repo_id=repository.repo_id)
        return repository.push(files, message=message, owned=[data_files(split) for split in ALL_SPLITS])


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


def _write(samples: Sequence[Sample], folder: Path, salt: bytes) -> dict[str, Path]:
    """Write the rewritten images as Parquet files, and return their paths by name in the repository."""
    from datasets import ClassLabel, Features, Image, Value

    names = tuple(samples[0].labels) or (SINGLE,)
    classes = {sample.label for sample in samples if sample.label is not None}
    positive = find_positive(classes, name=names[0])
    single = ClassLabel(names=sorted(classes, key=lambda name: (name == positive, name)))
    labels = {names[0]: single} if len(names) == 1 else dict.fromkeys(names, Value("string"))
    text = dict.fromkeys(TEXT_COLUMNS, Value("string"))
    features = Features({"image": Image(), **labels, **text, "size_mm": Value("float64")})
    problems: list[str] = []
    changed: Counter[str] = Counter()
    bar = tqdm(desc="rewriting images", total=len(samples), unit="image", disable=None)

    def rows(split: str) -> Iterator[dict[str, Any]]:
        for index, sample in enumerate(item for item in samples if hub_split(item) == split):
            bar.update()
            try:
                content = sample.read()
                image = rewrite(content, salt, origin=sample.name)
            except ImageError as error:
                problems.append(str(error))
                continue
            changed[kind_of(content).suffix] += image != content
            columns = {name: getattr(sample, name) for name in (*text, "size_mm")}
            for name, kind in labels.items():
                value = sample.value(name)
                columns[name] = None if value is None else kind.encode_example(value)
            # The name of a file may contain that of a patient, so images are numbered.
            path = f"{split}-{index:06d}{kind_of(image).suffix}"
            yield {"image": {"bytes": image, "path": path}, **columns}

    files: dict[str, Path] = {}
    with bar:
        for split in splits_of(samples):
            files |= _write_split(folder, split, rows=rows(split), schema=features.arrow_schema)
    if problems:
        more = f" And {len(problems) - LISTED} more." if len(problems) > LISTED else ""
        raise CohortError(
            f"{len(problems)} of {len(samples)} files cannot be pushed, and nothing was pushed: "
            f"{' '.join(problems[:LISTED])}{more}"
        )
    kinds = ", ".join(f"{number} {suffix}" for suffix, number in sorted(changed.items()) if number)
    logger.info("Rewrote %d of %d files without metadata (%s).", changed.total(), len(samples), kinds or "none")
    return files


def _write_split(folder: Path, split: str, *, rows: Iterator[dict[str, Any]], schema: Any) -> dict[str, Path]:
    """Write a split as Parquet files of limited size, with few images in memory at a time."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    paths: list[Path] = []
    while group := list(islice(rows, GROUP_ROWS)):
        paths.append(folder / f"{split}-{len(paths)}")
        size = 0
        with ParquetWriter(paths[-1], schema) as writer:
            while group:
                writer.write_table(pa.Table.from_pylist(group, schema))
                size += sum(len(row["image"]["bytes"]) for row in group)
                group = list(islice(rows, GROUP_ROWS)) if size < SHARD_BYTES else []
    return {f"data/{split}-{index:05d}-of-{len(paths):05d}.parquet": path for index, path in enumerate(paths)}
