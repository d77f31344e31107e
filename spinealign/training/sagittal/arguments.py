"""Options of a training that outlines vertebrae in sagittal MR."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import TrainingArguments
from transformers.hf_argparser import HfArg

from spinealign.training.trainer_arguments import checked_arguments
from spinealign.training.vertebrae.arguments import DEFAULTS as FILM_DEFAULTS

DEFAULTS: dict[str, Any] = {
    **FILM_DEFAULTS,
    "num_train_epochs": 150.0,
    "adam_beta2": 0.999,
    "weight_decay": 1e-3,
    "dataloader_num_workers": 0,  # on two cores, a worker slows the network more than it helps
}


@dataclass(frozen=True)
class SagittalArguments:
    """Slices and cross-validation."""

    data_dir: list[str] = field(
        metadata={
            "help": "Folders of sagittal slices or volumes with masks; see docs/masks.md. The split test is scored and "
            "not trained on."
        }
    )
    task: str = HfArg(default="vertebrae", help="Task of the model.", metadata={"choices": ["vertebrae"]})
    kind: str = HfArg(default="sagittal_mr", help="Kind of the images.", metadata={"choices": ["sagittal_mr"]})
    folds: int = HfArg(
        default=0,
        help="Before the training, run a cross-validation over patients with this number of folds; 0 skips it. "
        "Intervals and limits come from its predictions.",
    )
    fold_epochs: int | None = HfArg(
        default=None, help="Epochs of the cross-validation; those of the training by default."
    )
    fold_predictions: str | None = HfArg(
        default=None, help="JSON file of the cross-validation: written with folds, otherwise read."
    )
    folds_only: bool = HfArg(default=False, help="Stop after the cross-validation.")

    def __post_init__(self) -> None:
        if self.folds < 0 or self.folds == 1:
            raise ValueError(f"folds must be 0 or at least 2, got {self.folds}.")
        if self.folds_only and not (self.folds and self.fold_predictions):
            raise ValueError("folds_only needs folds and fold_predictions, the file that it writes.")
        if not self.folds and self.fold_predictions and not Path(self.fold_predictions).is_file():
            raise ValueError(f"fold_predictions names the file {self.fold_predictions}, which does not exist.")


@dataclass(frozen=True)
class SagittalModelArguments:
    """Size of the network, self-training, and notes for the card."""

    width: float = HfArg(default=1.0, help="Channels of the segmenter, as a share of those of the embedded model.")
    teacher_share: float = HfArg(
        default=0.4,
        help="Share of the epochs after which series that have only boxes of discs are labeled by the network itself; "
        "the rest of the epochs learns from them too.",
    )
    card_notes: str | None = HfArg(
        default=None, help="Markdown file that is included in the model card: origin and license of the images."
    )

    def __post_init__(self) -> None:
        if self.card_notes and not Path(self.card_notes).is_file():
            raise ValueError(f"card_notes names the file {self.card_notes}, which does not exist.")
        if not 0 < self.width <= 4:
            raise ValueError(f"width must be in (0, 4], got {self.width}.")
        if not 0 < self.teacher_share < 1:
            raise ValueError(f"teacher_share must be in (0, 1), got {self.teacher_share}.")


@dataclass(frozen=True)
class SagittalSetup:
    """All options of a training.

    Attributes:
        data: Slices and cross-validation.
        model: Size of the network and self-training.
        training: Options of the Trainer. They are copied, and `checked_arguments` sets what the training requires.

    Raises:
        ValueError: If an option of the Trainer is not supported.
    """

    data: SagittalArguments
    model: SagittalModelArguments
    training: TrainingArguments

    def __post_init__(self) -> None:
        object.__setattr__(self, "training", checked_arguments(self.training))
        if self.training.world_size > 1:
            raise ValueError("The task vertebrae trains in one process; start it without a launcher of several.")
