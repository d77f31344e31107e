"""Contents of `spinealign.json`: settings stored with the weights."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from spinealign.config import DecisionConfig, NoveltyConfig, PreprocessingConfig, QualityConfig
from spinealign.serialization import rebuild

FORMAT_VERSION = 2
TASKS = ("classification",)
_UPGRADE = "Run: pip install --upgrade spinealign"


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Settings stored with the weights.

    Attributes:
        task: Task of the model, one of `TASKS`.
        positive_class: Name of the class that is reported as the finding.
        preprocessing: Steps from a slice to `pixel_values`.
        quality: Limits that an image must meet.
        decision: Calibration and operating point.
        novelty: Limit beyond which an image is rejected as unknown; None if the model has none.
        training_data: Names of the collections of the training.
        split: Method by which they were split; with the same pattern and seed, the same files get the same splits.
        source_pattern: Regular expression for source names, if it was not the default.
        seed: Seed of the training.
    """

    task: str = "classification"
    positive_class: str = "fracture"
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)
    decision: DecisionConfig = field(default_factory=DecisionConfig)
    novelty: NoveltyConfig | None = None
    training_data: tuple[str, ...] = ()
    split: str = "auto"
    source_pattern: str | None = None
    seed: int | None = None

    def was_trained_on(self, collection: str) -> bool:
        """Return whether a collection has the name of one of the training collections.

        A folder and the dataset that was pushed from it have the same name: the owner and the punctuation of a Hub id
        are ignored.

        Example:
            >>> ModelSettings(training_data=("cervical fracture",)).was_trained_on("you/Cervical-Fracture")
            True
        """
        return _plain_name(collection) in map(_plain_name, self.training_data)

    def to_json(self) -> str:
        """Return the text of `spinealign.json`."""
        return json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ModelSettings:
        """Read the decoded content of `spinealign.json`, format version 1 or 2.

        Version 1 has the section `conditioning` instead of `preprocessing`, no task and no positive class; it is read
        as a classifier with the positive class `fracture`.

        Raises:
            ValueError: If the file is damaged, of a newer format, or of an unknown task.
        """
        version = content.get("format_version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise ValueError(f"format_version is {version!r}, expected a positive integer")
        if version > FORMAT_VERSION:
            raise ValueError(
                f"its format version is {version}, and this release reads up to {FORMAT_VERSION}. {_UPGRADE}"
            )
        if version == 1 and "conditioning" in content:
            content = {**content, "preprocessing": content["conditioning"]}
        if "preprocessing" not in content:
            raise ValueError("the section preprocessing is missing")
        task = content.get("task", "classification")
        if task not in TASKS:
            raise ValueError(f"its task {task!r} is unknown; this release knows {', '.join(TASKS)}. {_UPGRADE}")
        settings: ModelSettings = rebuild(cls, content)
        return settings


def _plain_name(collection: str) -> str:
    return re.sub(r"[\W_]+", "-", collection.rsplit("/", maxsplit=1)[-1]).casefold()
