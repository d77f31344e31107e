"""Setup of a training from Python, a command line or a settings file."""

from __future__ import annotations

import argparse
import difflib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

import torch
from transformers import HfArgumentParser, TrainingArguments

from spinealign.cohort.cohort import Cohort
from spinealign.config import EnhancementConfig
from spinealign.training.arguments import DEFAULT_BACKBONE, DEFAULTS, REQUIRED, DataArguments, ModelArguments
from spinealign.training.augmentation import AugmentationConfig

logger = logging.getLogger(__name__)

TrainingData: TypeAlias = str | os.PathLike[str] | Cohort

SETTINGS_SUFFIXES = (".json", ".yaml", ".yml")
_GROUPS = {
    "data": DataArguments,
    "model": ModelArguments,
    "augmentation": AugmentationConfig,
    "enhancement": EnhancementConfig,
}


@dataclass(frozen=True)
class TrainingSetup:
    """All options of one training.

    Attributes:
        data: Options of the data; `data_dir` holds the names of the collections.
        model: Options of the network.
        augmentation: Random changes of the training images.
        enhancement: Window and filters of the input.
        training: Options of the Trainer.
        cohorts: Collections that were indexed before, in place of `data.data_dir`; empty if there are none.
    """

    data: DataArguments
    model: ModelArguments
    augmentation: AugmentationConfig
    enhancement: EnhancementConfig
    training: TrainingArguments
    cohorts: tuple[Cohort, ...] = ()

    @property
    def collections(self) -> Sequence[str | Cohort]:
        """The collections to train on."""
        return self.cohorts or self.data.data_dir


def make_setup(
    data: TrainingData | Sequence[TrainingData],
    output_dir: str | os.PathLike[str] | None = None,
    *,
    args: TrainingArguments | None = None,
    **options: Any,
) -> TrainingSetup:
    """Return the setup for Python callers, with the defaults of the command line.

    Args:
        data: A folder, manifest, Hub dataset id or `Cohort`, or several of these.
        output_dir: Folder of the checkpoint.
        args: Ready arguments of the Trainer; they keep their values.
        **options: Options of the command line: fields of `DataArguments`, `ModelArguments`, `AugmentationConfig`,
            `EnhancementConfig` and, without `args`, of `transformers.TrainingArguments`. `backbone` is an alias of
            `model_name_or_path`.

    Raises:
        TypeError: If an option is unknown.
        ValueError: If a value is out of its range.
    """
    if args is not None and not isinstance(args, TrainingArguments):
        raise TypeError(f"args must be a TrainingArguments, got {type(args).__name__}; pass options as keywords.")
    if {"backbone", "model_name_or_path"} <= options.keys():
        raise TypeError("backbone and model_name_or_path are the same option; pass one of them.")
    if "backbone" in options:
        options["model_name_or_path"] = options.pop("backbone")
    options["model_name_or_path"] = os.fspath(options.get("model_name_or_path", DEFAULT_BACKBONE))
    items = [data] if isinstance(data, str | os.PathLike | Cohort) else list(data)
    cohorts = tuple(item for item in items if isinstance(item, Cohort))
    if cohorts and len(cohorts) < len(items):
        raise TypeError("data must be either paths and Hub ids, or Cohorts, not a mixture; use load_cohort.")
    if not items:
        raise ValueError("data is empty; pass at least one folder, manifest, Hub dataset id or Cohort.")
    if cohorts and options.get("source_pattern") is not None:
        raise TypeError("source_pattern does not apply to a Cohort; pass it to load_cohort.")
    options["data_dir"] = [item.name if isinstance(item, Cohort) else os.fspath(item) for item in items]
    options = {**_cohort_options(cohorts, with_seed=args is None), **options}
    _check_names(options, with_trainer=args is None)
    groups = {
        group: kind(**{item.name: options.pop(item.name) for item in fields(kind) if item.name in options})
        for group, kind in _GROUPS.items()
    }
    if args is None:
        chosen = {**DEFAULTS, **options}
        if output_dir is not None:
            chosen["output_dir"] = os.fspath(output_dir)
        return TrainingSetup(**groups, training=TrainingArguments(**chosen), cohorts=cohorts)
    return TrainingSetup(**groups, training=_completed(args, output_dir), cohorts=cohorts)


def _cohort_options(cohorts: Sequence[Cohort], *, with_seed: bool) -> dict[str, Any]:
    """Return the options with which cohorts were split, so that the training repeats and records their splits.

    Raises:
        ValueError: If they were loaded with different options.
    """
    made = {(cohort.split_method, cohort.split_seed, cohort.source_pattern) for cohort in cohorts}
    if len(made) > 1:
        raise ValueError("The cohorts were loaded with different splits, seeds or source patterns; load them alike.")
    values = dict(zip(("split", "seed", "source_pattern"), next(iter(made), ())))
    return {name: value for name, value in values.items() if value is not None and (with_seed or name != "seed")}


def _check_names(options: Mapping[str, Any], *, with_trainer: bool) -> None:
    own = {item.name for kind in _GROUPS.values() for item in fields(kind)}
    trainer = {item.name for item in fields(TrainingArguments) if item.init}
    known = own | trainer if with_trainer else own
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known | {"backbone"}, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            where = " Set it in args." if name in trainer else ""
            raise TypeError(f"Unknown training option {name!r}.{hint}{where}")


def _completed(args: TrainingArguments, output_dir: str | os.PathLike[str] | None) -> TrainingArguments:
    """Return a copy of ready arguments with what the data pipeline needs, and log how they differ from `DEFAULTS`."""
    completed = copy(args)
    for name in REQUIRED:
        setattr(completed, name, type(getattr(args, name))(DEFAULTS[name]))
    completed.dataloader_pin_memory = args.dataloader_pin_memory and torch.cuda.is_available()
    if output_dir is not None:
        completed.output_dir = os.fspath(output_dir)
    differing = [
        f"{name} {getattr(value, 'value', value)}"
        for name, default in DEFAULTS.items()
        if name not in (*REQUIRED, "output_dir", "dataloader_pin_memory", "report_to")
        and (value := getattr(completed, name)) != default
    ]
    if differing:
        logger.info("Training arguments that differ from the defaults of spinealign: %s", ", ".join(differing))
    return completed


def training_parser(prog: str | None = None) -> HfArgumentParser:
    """Return the parser of `train.py` and `spinealign train`."""
    parser = HfArgumentParser(
        [*_GROUPS.values(), TrainingArguments],
        prog=prog,
        usage="%(prog)s --data_dir DATA [DATA ...] [--output_dir FOLDER] [options]\n"
        "       %(prog)s settings.json|settings.yaml\n"
        "       %(prog)s --help lists all options",
        description="Fine-tune an image classifier on spine images, evaluate it and save it for prediction.",
        epilog="The options from --output_dir on are those of transformers.TrainingArguments. A settings file maps "
        "option names to values.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(**DEFAULTS)
    return parser


def parse_training_setup(arguments: Sequence[str], *, prog: str | None = None) -> TrainingSetup:
    """Parse a command line, or the settings file that it names.

    Args:
        arguments: Words after the program's name.
        prog: Name of the program in the help.

    Raises:
        SystemExit: On wrong usage and on `--help`, as argparse does.
        OSError: If the settings file cannot be read.
        ValueError: If it is not a mapping of option names to values.
    """
    parser = training_parser(prog)
    if len(arguments) == 1 and arguments[0].endswith(SETTINGS_SUFFIXES):
        arguments = _words(_read_settings(Path(arguments[0])))
    try:
        parsed = parser.parse_args_into_dataclasses(args=list(arguments), look_for_args_file=False)
    except ValueError as error:
        parser.error(str(error))
    return TrainingSetup(*parsed)


def _read_settings(path: Path) -> Mapping[str, Any]:
    text = path.read_text(encoding="utf-8-sig")
    try:
        if path.suffix == ".json":
            content = json.loads(text)
        else:
            import yaml

            content = yaml.safe_load(text)
    except Exception as error:  # YAML raises its own classes
        raise ValueError(f"{path} cannot be parsed: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must map option names to values, such as data_dir and output_dir.")
    return content


def _words(settings: Mapping[str, Any]) -> list[str]:
    try:
        _check_names({name: value for name, value in settings.items() if name != "backbone"}, with_trainer=True)
    except TypeError as error:
        raise ValueError(str(error)) from None
    return [word for name, value in settings.items() for word in option_words(name, value)]


def option_words(name: str, value: Any) -> list[str]:
    """Return the words of a command line that set an option; none for None, which stands for a default.

    Example:
        >>> option_words("data_dir", ["a", "b"])
        ['--data_dir', 'a', 'b']
    """
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [f"--{name}", *map(str, value)]
    text = json.dumps(value) if isinstance(value, dict) else str(getattr(value, "value", value))
    return [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]
