"""Options of a training that finds vertebrae."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import TrainingArguments
from transformers.hf_argparser import HfArg

from spinealign.training.trainer_arguments import DEFAULTS as CLASSIFIER_DEFAULTS
from spinealign.training.trainer_arguments import checked_arguments

DEFAULTS: dict[str, Any] = {
    **{name: CLASSIFIER_DEFAULTS[name] for name in ("output_dir", "save_strategy", "lr_scheduler_type", "report_to")},
    "num_train_epochs": 90.0,
    "learning_rate": 3e-3,
    "weight_decay": 1e-2,
    "adam_beta2": 0.99,
    "max_grad_norm": 5.0,
    "warmup_steps": 50,
    "per_device_train_batch_size": 8,
    "save_total_limit": 1,
    "logging_steps": 20,
    "dataloader_num_workers": 1,
}


@dataclass(frozen=True)
class VertebraArguments:
    """Films, backgrounds and cross-validation."""

    data_dir: list[str] = field(
        metadata={
            "help": "Films with the corners of their vertebrae: folders with train.csv and test.csv, tables, COCO "
            "keypoint files, or Hub dataset ids. The split test is scored and not trained on."
        }
    )
    task: str = HfArg(default="vertebrae", help="Task of the model.", metadata={"choices": ["vertebrae"]})
    background_dir: list[str] | None = field(
        default=None, metadata={"help": "Folders of images in which the model must not find vertebrae."}
    )
    extra_dir: list[str] | None = field(
        default=None,
        metadata={"help": "Further films, such as drawn ones, that all networks learn from and none is scored on."},
    )
    repairs: str | None = HfArg(default=None, help="Table of corrections of labels; see docs/films.md.")
    folds: int = HfArg(
        default=0,
        help="Before the training, run a cross-validation over groups of films with this number of folds; 0 skips it. "
        "Intervals and the limit of rejection come from its predictions.",
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
        for name in ("repairs", *(() if self.folds else ("fold_predictions",))):
            value = getattr(self, name)
            if value and not Path(value).is_file():
                raise ValueError(f"{name} names the file {value}, which does not exist.")


@dataclass(frozen=True)
class VertebraModelArguments:
    """Size of the networks and of their input, and notes for the card."""

    width: float = HfArg(default=1.0, help="Channels of the locators, as a share of those of the x-ray model.")
    coarse_height: int = HfArg(default=512, help="Height of the input in the first epochs; the width is a quarter.")
    input_height: int = HfArg(default=768, help="Height of the input in the last epochs and for measuring.")
    card_notes: str | None = HfArg(
        default=None, help="Markdown file that is included in the model card: origin and license of the films."
    )

    @property
    def shapes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Heights and widths of the inputs of the locator and the scout."""
        return (self.input_height, self.input_height // 4), (self.coarse_height, self.coarse_height // 4)

    def __post_init__(self) -> None:
        for name in ("coarse_height", "input_height"):
            if getattr(self, name) < 256 or getattr(self, name) % 256:
                raise ValueError(f"{name} must be a multiple of 256, got {getattr(self, name)}.")
        if self.card_notes and not Path(self.card_notes).is_file():
            raise ValueError(f"card_notes names the file {self.card_notes}, which does not exist.")
        if not 0 < self.width <= 4:
            raise ValueError(f"width must be in (0, 4], got {self.width}.")


@dataclass(frozen=True)
class VertebraSetup:
    """All options of a training.

    Attributes:
        data: Films, backgrounds and cross-validation.
        model: Size of the networks and of their input.
        training: Options of the Trainer. They are copied, and `checked_arguments` sets what the training requires.

    Raises:
        ValueError: If an option of the Trainer is not supported.
    """

    data: VertebraArguments
    model: VertebraModelArguments
    training: TrainingArguments

    def __post_init__(self) -> None:
        object.__setattr__(self, "training", checked_arguments(self.training))
        if self.training.world_size > 1:
            raise ValueError("The task vertebrae trains in one process; start it without a launcher of several.")
