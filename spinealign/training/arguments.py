"""What a training can be told, on the command line and in Python."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from transformers import HfArgumentParser, TrainingArguments

from spinealign.cohort.splitting import LEAKAGE_POLICIES, SPLIT_METHODS
from spinealign.config import EnhancementConfig
from spinealign.training.augmentation import AugmentationConfig

DEFAULT_BACKBONE = "facebook/deit-tiny-patch16-224"
DEFAULTS = {
    "output_dir": "spinealign-model",
    "num_train_epochs": 3.0,
    "learning_rate": 2e-4,
    "weight_decay": 0.05,
    "warmup_steps": 0.1,
    "lr_scheduler_type": "cosine",
    "per_device_train_batch_size": 16,
    "per_device_eval_batch_size": 64,
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "save_total_limit": 2,
    "load_best_model_at_end": True,
    "metric_for_best_model": "eval_loss",
    "restore_callback_states_from_checkpoint": True,  # or a resumed run would forget how long it has waited
    "logging_steps": 10,
    "report_to": "tensorboard",
    "remove_unused_columns": False,
    "hub_strategy": "end",  # the finished checkpoint is pushed, once; the Trainer's own pushes would hold pickles
    "dataloader_pin_memory": torch.cuda.is_available(),
}


@dataclass(frozen=True)
class DataArguments:
    """Where the images come from and how they are split."""

    data_dir: list[str] = field(
        metadata={
            "help": "Collections: folders {train,val,test}/{class}/* or {class}/*, CSV manifests with the columns "
            "path and label, or Hub dataset ids. Several are trained on together and evaluated one by one."
        }
    )
    split: str = field(
        default="auto",
        metadata={
            "help": "official keeps the split that a collection brings, source cuts anew so that no source slice "
            "stands in two parts, auto takes the official split where there is one.",
            "choices": list(SPLIT_METHODS),
        },
    )
    on_leakage: str = field(
        default="drop",
        metadata={
            "help": "What happens to a source slice that stands in two parts: drop its copies from the earlier part, "
            "stop with an error, or keep them and say so on the card.",
            "choices": list(LEAKAGE_POLICIES),
        },
    )
    source_pattern: str | None = field(
        default=None,
        metadata={
            "help": "Regular expression for file names with a group (?P<source>...) and, if possible, (?P<series>...)."
        },
    )
    balance: bool = field(default=True, metadata={"help": "Weigh the images so that both classes count alike."})
    folds: int = field(
        default=0,
        metadata={
            "help": "Before the training, train and score so many models in a cross-validation over sources, such as "
            "5; 0 does without."
        },
    )

    def __post_init__(self) -> None:
        if self.folds < 0 or self.folds == 1:
            raise ValueError(f"folds must be 0, or 2 and more, not {self.folds}.")


@dataclass(frozen=True)
class ModelArguments:
    """Which network is trained and how it is stored."""

    model_name_or_path: str = field(
        default=DEFAULT_BACKBONE,
        metadata={
            "help": "The network: a Hub id, a folder of transformers, or one of the names in "
            "spinealign.networks.catalog, such as cnn or vgg16.",
            "aliases": ["--backbone"],
        },
    )
    model_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the backbone."})
    from_scratch: bool = field(default=False, metadata={"help": "Start from random weights of the backbone's shape."})
    early_stopping_patience: int = field(
        default=3, metadata={"help": "Stop after so many epochs without a better value on the validation part."}
    )
    target_sensitivity: float = field(
        default=0.95,
        metadata={
            "help": "Sensitivity that the operating point reaches on the calibration part; a part with too few sources "
            "leaves it at a probability of 0.5."
        },
    )
    weights_dtype: str = field(
        default="float32",
        metadata={
            "help": "Number format of the stored weights; bfloat16 halves the files. The network computes in float32.",
            "choices": ["float32", "bfloat16"],
        },
    )
    card_notes: str | None = field(
        default=None,
        metadata={"help": "Markdown file that the model card takes over: origin and licence of backbone and images."},
    )

    def __post_init__(self) -> None:
        if not 0 < self.target_sensitivity <= 1:
            raise ValueError(f"target_sensitivity lies above 0 and at most at 1, not {self.target_sensitivity}.")


@dataclass(frozen=True)
class TrainingSetup:
    """Everything that one training is told."""

    data: DataArguments
    model: ModelArguments
    augmentation: AugmentationConfig
    enhancement: EnhancementConfig
    training: TrainingArguments


def training_parser(prog: str | None = None) -> HfArgumentParser:
    """Return the parser of `train.py` and `spinealign train`."""
    parser = HfArgumentParser(
        [DataArguments, ModelArguments, AugmentationConfig, EnhancementConfig, TrainingArguments],
        prog=prog,
        usage="%(prog)s --data_dir DATA [DATA ...] [--output_dir FOLDER] [options]; --help lists all options",
        description="Fine-tune an image classifier on spine images, evaluate it honestly and save it for serving.",
        epilog="The options from --output_dir on are those of transformers.TrainingArguments.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(**DEFAULTS)
    return parser


def parse_training_setup(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> TrainingSetup:
    """Parse a command line.

    Args:
        arguments: The words after the program's name; None takes them from the process.
        prog: The program's name in the help.

    Raises:
        SystemExit: On wrong usage and on `--help`, as argparse does.
    """
    parser = training_parser(prog)
    try:
        parsed = parser.parse_args_into_dataclasses(args=arguments)
    except ValueError as error:
        parser.error(str(error))
    return TrainingSetup(*parsed)
