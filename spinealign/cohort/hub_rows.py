"""Samples from the rows of Hub datasets."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.manifest import SPLIT_NAMES
from spinealign.cohort.naming import make_sample, number_of
from spinealign.errors import CohortError, require
from spinealign.hub_errors import explain
from spinealign.labels import SINGLE
from spinealign.reading.tally import Tally


def index_hub(dataset_id: str, *, pattern: re.Pattern[str], labels: Sequence[str]) -> Cohort:
    """Index a dataset of the Hub.

    Raises:
        CohortError: If it cannot be loaded, or columns are missing.
    """
    splits = load_hub(dataset_id)
    found = [hub_samples(splits[split], split, pattern=pattern, labels=labels) for split in splits]
    samples, skipped = (tuple(item for part in parts for item in part) for parts in zip(*found))
    return Cohort(dataset_id, samples, skipped)


def load_hub(dataset_id: str) -> Any:
    """Load a dataset of the Hub, or a folder of its layout, as a `datasets.DatasetDict`.

    Raises:
        CohortError: If it cannot be loaded.
    """
    require("datasets", extra="train")
    from datasets import load_dataset

    try:
        return load_dataset(dataset_id)
    except Exception as error:  # from the network, the client or the file format
        raise CohortError(
            f"Found no folder {dataset_id}, and no Hub dataset of this name could be loaded; check the name, your "
            f"access (hf auth login) and the network. {explain(error, dataset_id)}"
        ) from error


def hub_samples(
    rows: Any, split: str, *, pattern: re.Pattern[str], labels: Sequence[str] = ()
) -> tuple[list[Sample], list[str]]:
    """Return the samples of a `datasets.Dataset`, and a count of the rows that cannot be used.

    Raises:
        CohortError: If columns are missing.
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

    samples: list[Sample] = []
    passed, sizes = Tally(), Tally()
    for number, row in enumerate(rows.cast_column(image_columns[0], Image(decode=False))):
        name, image = f"{split} row {number}", row[image_columns[0]]
        values = {column: class_of(rows.features[column], row[column]) for column in columns}
        part = str(row.get("split", split if split.lower() in SPLIT_NAMES else None) or "").strip().lower()
        if image is None or all(value is None for value in values.values()):
            passed.add(f"row without {'an image' if image is None else 'a label'}", name)
        elif part and part not in SPLIT_NAMES:
            passed.add("row with an unknown split", f"{name}: {part}")
        else:
            size_mm = number_of(str(row.get("size_mm") or ""), name, wrong=sizes)
            known = {**row, SINGLE: values.get(single), "split": SPLIT_NAMES.get(part), "size_mm": size_mm}
            content = image["path"] if image["bytes"] is None else image["bytes"]
            named, file = values if labels else {}, image["path"] or ""
            samples.append(make_sample(content, name, pattern=pattern, known=known, labels=named, file=file))
    notes = [f"{passed.total():,} rows of {split} passed over: {passed}"] if passed.total() else []
    return samples, [*notes, *([f"{split}: not read: {sizes}"] if sizes.total() else [])]
