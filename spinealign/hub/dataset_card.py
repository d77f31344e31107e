"""The card of a dataset on the Hub: which files are its splits, what stands in them, and what its owner wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence

from huggingface_hub import DatasetCard, DatasetCardData

from spinealign.cohort.sample import SPLITS, Sample

_HUB_SPLITS = {"val": "validation"}  # as datasets calls it
ALL_SPLITS = tuple(_HUB_SPLITS.get(split, split) for split in SPLITS)
_BEGIN, _END = "<!-- spinealign counts: begin -->", "<!-- spinealign counts: end -->"


def hub_split(sample: Sample) -> str:
    """Return the split of the dataset; images without one lie in `train`, and their column `split` stays empty."""
    return _HUB_SPLITS.get(sample.split or "train", sample.split or "train")


def splits_of(samples: Sequence[Sample]) -> list[str]:
    """Return the splits of the dataset that hold images."""
    present = {hub_split(sample) for sample in samples}
    return [split for split in ALL_SPLITS if split in present]


def data_files(split: str) -> str:
    """Return the pattern of the names of our shards, and of no file of somebody else beside them."""
    digits = "[0-9]" * 5
    return f"data/{split}-{digits}-of-{digits}.parquet"


def card_after(before: bytes | None, samples: Sequence[Sample], *, name: str, repo_id: str) -> bytes:
    """Return the card of a dataset after a push; what its owner wrote into the one before stays.

    Args:
        before: The card that is there; None where there is none.
        samples: The images.
        name: Name of the collection.
        repo_id: The repository.

    Raises:
        ValueError: If the metadata of the card that is there cannot be read.
    """
    if before is None:
        data = DatasetCardData(
            pretty_name=name, task_categories=["image-classification"], tags=["spinealign", "medical"]
        )
        card = DatasetCard(f"---\n{data.to_yaml()}\n---\n{_first_text(name, repo_id)}")
    else:
        card = _read(before)
    card.data["configs"] = [
        {
            "config_name": "default",
            "data_files": [{"split": split, "path": data_files(split)} for split in splits_of(samples)],
        }
    ]
    card.data.pop("dataset_info", None)  # of other columns and numbers; datasets finds out what is there
    counts = f"{_BEGIN}\n{_table(samples)}\n{_END}"
    card.text = re.sub(f"{_BEGIN}.*?{_END}", lambda _: counts, card.text, flags=re.DOTALL)
    return str(card).encode()


def _read(content: bytes) -> DatasetCard:
    try:
        return DatasetCard(content.decode("utf-8-sig"))
    except Exception as error:  # YAML and the card's own checks raise classes of their own
        raise ValueError("the card that is there cannot be read: mend README.md there, then push again.") from error


def _first_text(name: str, repo_id: str) -> str:
    return "\n".join([
        f"\n# {name}\n",
        "Labelled images for research. **No decision about a person may rest on them.**\n",
        f"{_BEGIN}{_END}\n",
        "Images with one `source` are copies of one slice: they belong into one part, and intervals count sources, "
        "not images. `series`, `patient` and `size_mm` (of the finding) are empty where they are not known; `split` is "
        "empty where the collection was not split.\n",
        f"```bash\nspinealign audit {repo_id}\nspinealign train --data_dir {repo_id}\n```\n",
        "Origin, licence and consent are for its owner to state here; a later push changes the numbers alone.\n",
    ])  # fmt: skip


def _table(samples: Sequence[Sample]) -> str:
    parts = {split: [item for item in samples if hub_split(item) == split] for split in splits_of(samples)}
    rows = [
        f"| {split} | {label} | {len(part)} | {len({item.source for item in part})} |"
        for split, items in parts.items()
        for label in sorted({item.label for item in items})
        if (part := [item for item in items if item.label == label])
    ]
    return "\n".join(["| split | label | images | distinct sources |\n|---|---|---|---|", *rows])
