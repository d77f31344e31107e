"""Contents of `spinealign.json` of a model that measures sagittal MR."""

from __future__ import annotations

from dataclasses import dataclass, field

from spinealign.checkpoint.files import SAGITTAL_MR
from spinealign.checkpoint.vertebra_settings import StoredSettings
from spinealign.config import InputConfig, QualityConfig
from spinealign.metrics.conformal import IntervalRule


@dataclass(frozen=True, kw_only=True)
class SagittalSettings(StoredSettings):
    """Settings of a model for sagittal MR, stored with the weights.

    Attributes:
        task: Always `vertebrae`.
        kind: Kind of the images that the model measures.
        takes: Kind of images that the model takes.
        quality: Limits that an image must meet.
        min_bodies: Smallest number of vertebral bodies in an accepted image.
        min_probability: Smallest mean probability of the bodies in an accepted image.
        intervals: Rule of the interval of each measure of several slices, by its name or by `measuring.kind_of`.
        slice_intervals: The same for a single slice.
        training_data: Names of the collections of the training.
        seed: Seed of the training.
    """

    task: str = "vertebrae"
    kind: str = SAGITTAL_MR
    takes: InputConfig = field(default_factory=lambda: InputConfig(modality="MR", plane="sagittal"))
    quality: QualityConfig = field(
        default_factory=lambda: QualityConfig(
            min_side=96, max_aspect=4.0, min_brightness=4.0, min_sharpness=0.008, max_brightness=230.0
        )
    )
    min_bodies: int = 3
    min_probability: float = 0.0
    intervals: dict[str, IntervalRule] = field(default_factory=dict)
    slice_intervals: dict[str, IntervalRule] = field(default_factory=dict)
    training_data: tuple[str, ...] = ()
    seed: int | None = None
