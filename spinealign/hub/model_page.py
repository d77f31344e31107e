"""The card as the page of a repository: what it must say, and what changes on the way there."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard

from spinealign.errors import CheckpointError
from spinealign.metrics.evaluation import Evaluation

SECTIONS = (
    "What was measured",
    "Intended use and misuse",
    "Calibration and operating point",
    "What it does not know",
    "Failure cases",
    "Data",
    "Training",
    "How to use",
    "Checklist",
)
WARNING = "not a medical device"
_UNFINISHED = ("More Information Needed", "TODO", "TBD", "FIXME")


def read_card(path: Path) -> str:
    """Read a card.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors write a mark before the first letter
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path} is no text in UTF-8; save it as such.") from error


def card_gaps(text: str, evaluations: Sequence[Evaluation], *, files: Collection[str]) -> list[str]:
    """Return what a card lacks, one sentence each.

    Args:
        text: The card with its metadata.
        evaluations: What was measured; the card must publish it.
        files: Names of the files that go up with it.
    """
    gaps = [f"the section {title!r} is missing or empty" for title in SECTIONS if not _section(text, title)]
    gaps += unfinished(text, files=files)
    if WARNING not in " ".join(text.split()):
        gaps.append(f"it does not say that the model is {WARNING}")
    return gaps + _metadata_gaps(text, evaluations)


def unfinished(text: str, *, files: Collection[str]) -> list[str]:
    """Return which placeholders stand in a text, and which of its pictures are missing, one sentence each.

    Args:
        text: Markdown.
        files: Names of the files that go up with it.
    """
    gaps = [f"{word!r} still stands in it" for word in _UNFINISHED if re.search(rf"\b{word}\b", text)]
    shown = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", text)
    return gaps + [f"its picture {name} is not there" for name in shown if name not in files and "://" not in name]


def _section(text: str, title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def _metadata_gaps(text: str, evaluations: Sequence[Evaluation]) -> list[str]:
    try:
        data: Any = ModelCard(text, ignore_metadata_errors=False).data
    except Exception as error:  # YAML and the card's own checks raise classes of their own
        return [f"its metadata cannot be read ({type(error).__name__})"]
    gaps = [] if "spinealign" in (data.tags or ()) else ["its tags do not name spinealign"]
    if data.pipeline_tag != "image-classification":
        gaps.append("its pipeline_tag is not image-classification")
    published = {
        (row.dataset_name, row.dataset_split): row.metric_value
        for row in data.eval_results or ()
        if row.metric_type == "accuracy"
    }
    for item in evaluations:
        value = published.get((item.collection, item.split))
        if value is None:
            gaps.append(f"its model-index has no accuracy on {item.collection} ({item.split})")
        elif abs(float(value) - item.scores.accuracy) > 1e-4:
            gaps.append(f"its accuracy on {item.collection} ({item.split}) is not the measured one")
    return gaps


def card_for(repo_id: str, text: str) -> str:
    """Return a card whose examples load the model from the Hub, where they named a folder.

    Args:
        repo_id: The repository.
        text: The card.
    """
    return re.sub(r'model="path/to/[^"]*"', lambda _: f'model="{repo_id}"', text)
