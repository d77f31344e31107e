"""Contents of `spinealign.json` of a model that finds vertebrae."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar, cast

from spinealign.checkpoint.files import FRONTAL_XRAY
from spinealign.config import InputConfig, QualityConfig
from spinealign.metrics.conformal import IntervalRule
from spinealign.serialization import rebuild

FORMAT_VERSION = 1
_Settings = TypeVar("_Settings", bound="StoredSettings")


class StoredSettings:
    """Settings of a model that finds vertebrae; base class of dataclasses with the field `task`."""

    task: str

    def to_json(self) -> str:
        """Return the text of `spinealign.json`."""
        return json.dumps({"format_version": FORMAT_VERSION, **asdict(cast(Any, self))}, indent=2) + "\n"

    @classmethod
    def from_json(cls: type[_Settings], content: Mapping[str, Any]) -> _Settings:
        """Read the decoded content of `spinealign.json`.

        Raises:
            ValueError: If the file is damaged, of a newer format, or of another task.
        """
        version = content.get("format_version")
        if version != FORMAT_VERSION:
            raise ValueError(
                f"its format version is {version!r}, and this release reads {FORMAT_VERSION}. "
                "Run: pip install --upgrade spinealign"
            )
        settings: _Settings = rebuild(cls, content)
        if settings.task != "vertebrae":
            raise ValueError(f"its task is {settings.task!r}, expected 'vertebrae'")
        return settings


@dataclass(frozen=True, kw_only=True)
class VertebraSettings(StoredSettings):
    """Settings of a model for frontal x-rays, stored with the weights.

    Attributes:
        task: Always `vertebrae`.
        kind: Kind of the images that the model measures.
        count: Vertebrae of a whole chain.
        shapes: Heights and widths of the inputs of the locator and the scout.
        takes: Kind of images that the model takes.
        quality: Limits that an image must meet.
        max_width: Largest width of an accepted image, as a share of its height.
        min_vertebrae: Smallest number of vertebrae in an accepted image.
        min_peak: Smallest mean confidence of the vertebrae in an accepted image.
        intervals: Rule of the interval of each measure, by its name.
        training_data: Names of the collections of the training.
        seed: Seed of the training.
    """

    task: str = "vertebrae"
    kind: str = FRONTAL_XRAY
    count: int = 17
    shapes: tuple[tuple[int, int], tuple[int, int]] = ((768, 192), (512, 128))
    takes: InputConfig = field(default_factory=lambda: InputConfig(modality="DX"))
    quality: QualityConfig = field(default_factory=lambda: QualityConfig(max_aspect=6.0, min_sharpness=0.008))
    max_width: float = 0.8
    min_vertebrae: int = 8
    min_peak: float = 0.0
    intervals: dict[str, IntervalRule] = field(default_factory=dict)
    training_data: tuple[str, ...] = ()
    seed: int | None = None
