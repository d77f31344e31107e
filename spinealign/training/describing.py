"""Description of a training for its record: backbone, settings, command line."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from spinealign.checkpoint.finding import DEFAULT_MODEL
from spinealign.checkpoint.record import TrainingRecord
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import InputConfig
from spinealign.networks.catalog import BACKBONES
from spinealign.networks.pretrained import find_backbone
from spinealign.training.setup import TrainingSetup, option_words
from spinealign.training.trainer_arguments import DEFAULTS, REQUIRED, WITHOUT_EFFECT

logger = logging.getLogger(__name__)

PATHS = ("data_dir", "extra_dir", "background_dir", "repairs", "fold_predictions")  # options with files or folders


def describe_training(setup: TrainingSetup, network: Any, *, history: list[dict[str, Any]]) -> TrainingRecord:
    """Return the record of the training of a network; `history` is the `log_history` of the Trainer."""
    training, known = setup.training, find_backbone(setup.model.model_name_or_path)
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    enhancement = setup.enhancement
    return TrainingRecord(
        backbone=backbone_name(setup),
        base_model=_base_model(setup),
        from_scratch=setup.model.from_scratch,
        needs_spinealign=known is not None and known.network is not None,
        parameters=(sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)),
        epochs=float(training.num_train_epochs),
        learning_rate=training.learning_rate,
        batch_size=training.per_device_train_batch_size,
        seed=training.seed,
        balanced=setup.data.balance,
        best_metric=training.metric_for_best_model if training.load_best_model_at_end else None,
        greater_is_better=bool(training.greater_is_better),
        weights_dtype=setup.model.weights_dtype,
        split=setup.data.split,
        on_leakage=setup.data.on_leakage,
        preprocessing=f"window {enhancement.window_center:g}/{enhancement.window_width:g} HU, "
        f"denoise {enhancement.denoise}, equalize {enhancement.equalize}",
        processes=training.world_size,
        command=command_line(setup),
        history=tuple(
            {name: value if isfinite(value) else None for name, value in row.items()}  # JSON lacks NaN
            for row in history
            if "eval_loss" in row
        ),
    )


def describe_input(setup: TrainingSetup, collections: Sequence[LoadedCohort]) -> InputConfig:
    """Return the kind of images that the model takes; its modality is that of all images if none is stated."""
    modalities = {item.modality for item in collections}
    modality = modalities.pop() if len(modalities) == 1 else None
    if setup.takes.modality or modality in (None, "OT"):
        return setup.takes
    logger.info("All images are %s, and the model takes no others; the option modality changes this.", modality)
    return replace(setup.takes, modality=modality)


def _base_model(setup: TrainingSetup) -> str | None:
    name = setup.model.model_name_or_path
    if setup.model.from_scratch or name == DEFAULT_MODEL or Path(name).is_dir():
        return None
    hub_id = BACKBONES[name].hub_id if name in BACKBONES else name
    return hub_id if hub_id and "/" in hub_id else None


def backbone_name(setup: TrainingSetup) -> str:
    """Return the Hub id of the backbone, or the name of its folder without the path."""
    path = Path(setup.model.model_name_or_path)
    return path.resolve().name if path.is_dir() else setup.model.model_name_or_path


def command_line(setup: TrainingSetup) -> str:
    """Return the command that repeats the training; folders are named without their paths."""
    names = [Path(data).resolve().name if Path(data).exists() else data for data in setup.data.data_dir]
    words = ["spinealign", "train", "--data_dir", *names, "--model_name_or_path", backbone_name(setup)]
    for group in (setup.data, setup.model, setup.augmentation, setup.enhancement, setup.takes):
        for item in fields(group):
            value = getattr(group, item.name)
            if item.name == "root" and value:
                value = Path(value).resolve().name
            if item.name not in ("data_dir", "model_name_or_path", "card_notes", "cache_dir") and value != item.default:
                words += option_words(item.name, value)
    return shlex.join([*words, *trainer_words(setup.training, DEFAULTS)])


def vertebra_command(setup: Any, defaults: Mapping[str, Any]) -> str:
    """Return the command that repeats a training of the task vertebrae; files and folders are named without paths."""
    words = ["spinealign", "train", "--task", "vertebrae"]
    if kind := getattr(setup.data, "kind", None):
        words += ["--kind", kind]
    for group in (setup.data, setup.model):
        for item in fields(group):
            value = getattr(group, item.name)
            if item.name in PATHS and value:
                value = [Path(each).name for each in value] if isinstance(value, list) else Path(value).name
            if item.name not in ("task", "kind", "card_notes") and value != item.default:
                words += option_words(item.name, value)
    return shlex.join([*words, *trainer_words(setup.training, defaults)])


def trainer_words(training: TrainingArguments, defaults: Mapping[str, Any]) -> list[str]:
    """Return the words of a command line for the options of the Trainer that differ from our defaults."""
    words = []
    for item in fields(TrainingArguments):
        # An instance of TrainingArguments, for its defaults, would end the process group.
        default = defaults.get(item.name, item.default if item.default_factory is MISSING else item.default_factory())
        value = _plain(getattr(training, item.name))
        changed = value != default and (value or default)  # transformers turns None into False or an empty list
        if item.init and changed and item.name not in REQUIRED and not WITHOUT_EFFECT.match(item.name):
            words += option_words(item.name, value)
    return words


def _plain(value: Any) -> Any:
    """Return an option as JSON can write it, without the fields of a dataclass that have their default."""
    if not is_dataclass(value):
        return value
    return {item.name: field for item in fields(value) if (field := getattr(value, item.name)) != item.default}
