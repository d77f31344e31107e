"""Contents of `spinealign.json`: settings stored with the weights."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from spinealign.config import DecisionConfig, InputConfig, NoveltyConfig, PreprocessingConfig, QualityConfig
from spinealign.labels import Target, target_of_outputs
from spinealign.serialization import rebuild

FORMAT_VERSION = 3
TASKS = ("classification",)
_UPGRADE = "Run: pip install --upgrade spinealign"


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Settings stored with the weights.

    Attributes:
        target: Labels that the model predicts.
        task: Task of the model, one of `TASKS`.
        preprocessing: Steps from a slice to `pixel_values`.
        takes: Kind of images that the model takes.
        quality: Limits that an image must meet.
        decisions: Calibration and operating point of each label of the target, by its name.
        novelty: Limit beyond which an image is rejected as unknown; None if the model has none.
        training_data: Names of the collections of the training.
        split: Method by which they were split; with the same pattern and seed, the same files get the same splits.
        source_pattern: Regular expression for source names, if it was not the default.
        patient_pattern: Regular expression for the patients in relative paths, if there was one.
        seed: Seed of the training.
    """

    target: Target
    task: str = "classification"
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    takes: InputConfig = field(default_factory=InputConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)
    decisions: dict[str, DecisionConfig] = field(default_factory=dict)
    novelty: NoveltyConfig | None = None
    training_data: tuple[str, ...] = ()
    split: str = "auto"
    source_pattern: str | None = None
    patient_pattern: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        names = [label.name for label in self.target.labels]
        if unknown := self.decisions.keys() - set(names):
            raise ValueError(f"decisions for unknown labels: {', '.join(sorted(unknown))}")
        object.__setattr__(self, "decisions", {name: self.decisions.get(name, DecisionConfig()) for name in names})

    def was_trained_on(self, collection: str) -> bool:
        """Return whether a collection has the name of one of the training collections.

        A folder and the dataset that was pushed from it have the same name: the owner and the punctuation of a Hub id
        are ignored.

        Example:
            >>> from spinealign.labels import binary_target
            >>> target = binary_target("normal", "fracture")
            >>> settings = ModelSettings(target=target, training_data=("cervical fracture",))
            >>> settings.was_trained_on("you/Cervical-Fracture")
            True
        """
        return _plain_name(collection) in map(_plain_name, self.training_data)

    def to_json(self) -> str:
        """Return the text of `spinealign.json`."""
        return json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, content: Mapping[str, Any], outputs: Sequence[str]) -> ModelSettings:
        """Read the decoded content of `spinealign.json`, format version 1, 2 or 3.

        Versions 1 and 2 describe a single label, whose classes are the outputs of the network, as `config.json` names
        them. Version 1 has the section `conditioning` instead of `preprocessing`, no task and no positive class, which
        is then `fracture`.

        Raises:
            ValueError: If the file is damaged, of a newer format, or of an unknown task, or its labels do not fit the
                outputs.
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
        if version < 3:
            content = {**content, **_single_label(content, outputs)}
        settings: ModelSettings = rebuild(cls, content)
        if settings.target.outputs != tuple(outputs):
            raise ValueError(
                f"its labels have the outputs {', '.join(settings.target.outputs)}, and config.json names "
                f"{', '.join(outputs)}"
            )
        return settings


def _single_label(content: Mapping[str, Any], outputs: Sequence[str]) -> dict[str, Any]:
    """Return target and decision of format versions 1 and 2 as the fields of version 3."""
    positive = rebuild(str, content.get("positive_class", "fracture"))
    target = target_of_outputs(outputs, positive=positive)
    return {"target": asdict(target), "decisions": {target.labels[0].name: content.get("decision", {})}}


def _plain_name(collection: str) -> str:
    return re.sub(r"[\W_]+", "-", collection.rsplit("/", maxsplit=1)[-1]).casefold()
