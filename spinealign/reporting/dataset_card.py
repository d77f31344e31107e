"""Card of a dataset on the Hub: its splits, the number of images, and text of its owner."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files

from huggingface_hub import DatasetCard, DatasetCardData

from spinealign.cohort.cohort import SPLITS, Sample
from spinealign.reporting.markdown import escape
from spinealign.reporting.tables import Table

_HUB_SPLITS = {"val": "validation"}  # names of splits in datasets
ALL_SPLITS = tuple(_HUB_SPLITS.get(split, split) for split in SPLITS)
_BEGIN, _END = "<!-- spinealign counts: begin -->", "<!-- spinealign counts: end -->"
_TEMPLATE = files(__package__).joinpath("dataset_card.md.jinja").read_text(encoding="utf-8")


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
    data = DatasetCardData(pretty_name=name, task_categories=["image-classification"], tags=["spinealign", "medical"])
    first = DatasetCard.from_template(data, template_str=_TEMPLATE, name=escape(name), repo_id=repo_id)
    try:
        card = first if before is None else DatasetCard(before.decode("utf-8-sig"))
    except Exception as error:  # YAML errors and ValueErrors of several kinds
        raise ValueError("its current card cannot be read. Correct its README.md, then push again.") from error
    shards = [{"split": split, "path": data_files(split)} for split in splits_of(samples)]
    card.data["configs"] = [{"config_name": "default", "data_files": shards}]
    card.data.pop("dataset_info", None)  # may be outdated; datasets determines it from the files
    counts = f"{_BEGIN}\n{_counts(samples)}\n{_END}"
    card.text = re.sub(f"{_BEGIN}.*?{_END}", lambda _: counts, card.text, flags=re.DOTALL)
    return str(card).encode()


def _counts(samples: Sequence[Sample]) -> str:
    found = [(hub_split(item), named, item.source) for item in samples for named in _classes(item)]
    images = Counter(found_in[:2] for found_in in found)
    sources = Counter(found_in[:2] for found_in in set(found))
    order = sorted(images, key=lambda part: (ALL_SPLITS.index(part[0]), part[1]))
    rows = [(*part, images[part], sources[part]) for part in order]
    return Table(("split", "label", "images", "distinct sources"), rows).markdown()


def _classes(sample: Sample) -> list[str]:
    """Return the class of an image, or with several labels the name and class of each that is known."""
    if len(sample.labels) < 2:
        return [str(sample.label)]
    return [f"{name}: {value}" for name, value in sample.labels.items() if value is not None]
