"""Card of a dataset on the Hub: its splits, the number of images, and text of its owner."""

from __future__ import annotations

import re
from collections.abc import Sequence

from huggingface_hub import DatasetCard, DatasetCardData

from spinealign.cohort.sample import SPLITS, Sample
from spinealign.reporting.markdown import escape
from spinealign.reporting.tables import Table

_HUB_SPLITS = {"val": "validation"}  # names of splits in datasets
ALL_SPLITS = tuple(_HUB_SPLITS.get(split, split) for split in SPLITS)
_BEGIN, _END = "<!-- spinealign counts: begin -->", "<!-- spinealign counts: end -->"
_TEXT = """
# {name}

Labeled images for research. **Do not base any decision about a person on them.**

{begin}{end}

The images were rewritten from their pixels, without the metadata of the original files.

Images with the same `source` are copies of one slice: they belong in the same split, and intervals must count sources,
not images. `series`, `patient` and `size_mm` (of the finding) are empty if they are not known; `split` is empty if the
collection was not split.

```bash
spinealign audit {repo_id}
spinealign train --data_dir {repo_id}
```

The owner should state origin, license and consent here; a later push changes only the counts.
"""


def hub_split(sample: Sample) -> str:
    """Return the split of the dataset; images without a split are in `train`, with an empty column `split`."""
    return _HUB_SPLITS.get(sample.split or "train", sample.split or "train")


def splits_of(samples: Sequence[Sample]) -> list[str]:
    """Return the splits of the dataset that have images."""
    present = {hub_split(sample) for sample in samples}
    return [split for split in ALL_SPLITS if split in present]


def data_files(split: str) -> str:
    """Return the pattern of our shards of a split, which matches no other file."""
    digits = "[0-9]" * 5
    return f"data/{split}-{digits}-of-{digits}.parquet"


def card_after(before: bytes | None, samples: Sequence[Sample], *, name: str, repo_id: str) -> bytes:
    """Return the card of a dataset after a push; text of the owner in the card `before` is kept.

    Raises:
        ValueError: If the metadata of the current card cannot be read.
    """
    if before is None:
        data = DatasetCardData(
            pretty_name=name, task_categories=["image-classification"], tags=["spinealign", "medical"]
        )
        text = _TEXT.format(name=escape(name), repo_id=repo_id, begin=_BEGIN, end=_END)
        card = DatasetCard(f"---\n{data.to_yaml()}\n---\n{text}")
    else:
        card = _parse(before)
    card.data["configs"] = [
        {
            "config_name": "default",
            "data_files": [{"split": split, "path": data_files(split)} for split in splits_of(samples)],
        }
    ]
    card.data.pop("dataset_info", None)  # may be outdated; datasets determines it from the files
    counts = f"{_BEGIN}\n{_counts(samples)}\n{_END}"
    card.text = re.sub(f"{_BEGIN}.*?{_END}", lambda _: counts, card.text, flags=re.DOTALL)
    return str(card).encode()


def _parse(content: bytes) -> DatasetCard:
    try:
        return DatasetCard(content.decode("utf-8-sig"))
    except Exception as error:  # YAML errors and ValueErrors of several kinds
        raise ValueError("its current card cannot be read. Correct its README.md, then push again.") from error


def _counts(samples: Sequence[Sample]) -> str:
    rows = []
    for split in splits_of(samples):
        items = [item for item in samples if hub_split(item) == split]
        for label in sorted({item.label for item in items}):
            part = [item for item in items if item.label == label]
            rows.append((split, label, len(part), len({item.source for item in part})))
    return Table(("split", "label", "images", "distinct sources"), rows).markdown()
