"""Contents of `metrics.json` of a model that measures sagittal MR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spinealign.metrics.value_agreement import SagittalEvaluation
from spinealign.serialization import rebuild, to_plain


@dataclass(frozen=True)
class SliceCollectionRecord:
    """One source of slices.

    Attributes:
        name: Name of the source.
        slices: Number of slices with masks.
        series: Number of series with boxes of discs, or without labels.
        patients: Number of patients.
    """

    name: str
    slices: int
    series: int
    patients: int


@dataclass(frozen=True)
class SliceTrainingRecord:
    """Training of the network.

    Attributes:
        parameters: Number of parameters.
        slices: Number of slices with masks.
        series: Number of series with boxes of discs, which the network labeled itself.
        epochs: Number of epochs.
        teacher_share: Share of the epochs before it labeled the series.
        learning_rate: Peak learning rate.
        batch_size: Slices of one step.
        seed: Seed of the training.
        folds: Number of folds of the cross-validation; 0 without one.
        fold_epochs: Epochs of each network of the cross-validation.
        command: Command line that repeats the training.
    """

    parameters: int = 0
    slices: int = 0
    series: int = 0
    epochs: float = 0.0
    teacher_share: float = 0.0
    learning_rate: float = 0.0
    batch_size: int = 0
    seed: int = 0
    folds: int = 0
    fold_epochs: float = 0.0
    command: str = ""


@dataclass(frozen=True)
class SagittalRecord:
    """Training and evaluation of a model that measures sagittal MR.

    Attributes:
        evaluations: That of the held-out patients of the cross-validation, if there was one.
        name: Name of the model.
        collections: The sources of slices.
        training: How the network was trained.
        digest: Digest of slices and labels.
        left_out: What of the collections was not used, and why.
        notes: The owner's Markdown, which the card includes.
        environment: Versions of Python and packages.
        test: Evaluation of the slices of the split `test`, if there are any.
    """

    evaluations: tuple[SagittalEvaluation, ...] = ()
    name: str = ""
    collections: tuple[SliceCollectionRecord, ...] = ()
    training: SliceTrainingRecord | None = None
    digest: str = ""
    left_out: tuple[str, ...] = ()
    notes: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    test: SagittalEvaluation | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain data for JSON."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> SagittalRecord:
        """Build a record from the decoded content of `metrics.json`.

        Raises:
            ValueError: If it is not the record of such a model.
        """
        record: SagittalRecord = rebuild(cls, content)
        return record
