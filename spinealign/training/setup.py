"""Setup of a training from Python, a command line or a settings file."""

from __future__ import annotations

import argparse
import difflib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from transformers import HfArgumentParser, TrainingArguments

from spinealign.cohort.cohort import Cohort
from spinealign.cohort.options import CollectionOptions
from spinealign.config import EnhancementConfig, InputConfig
from spinealign.training.arguments import DataArguments, ModelArguments
from spinealign.training.augmentation import AugmentationConfig
from spinealign.training.sagittal.arguments import DEFAULTS as SAGITTAL_DEFAULTS
from spinealign.training.sagittal.arguments import SagittalArguments, SagittalModelArguments, SagittalSetup
from spinealign.training.trainer_arguments import DEFAULTS, checked_arguments
from spinealign.training.vertebrae.arguments import DEFAULTS as VERTEBRA_DEFAULTS
from spinealign.training.vertebrae.arguments import VertebraArguments, VertebraModelArguments, VertebraSetup

TrainingData: TypeAlias = str | os.PathLike[str] | Cohort
AnySetup: TypeAlias = "TrainingSetup | VertebraSetup | SagittalSetup"

SETTINGS_SUFFIXES = (".json", ".yaml", ".yml")
_GROUPS = {
    "data": DataArguments,
    "model": ModelArguments,
    "augmentation": AugmentationConfig,
    "enhancement": EnhancementConfig,
    "takes": InputConfig,
}


@dataclass(frozen=True)
class TrainingSetup:
    """All options of one training.

    Attributes:
        data: Options of the data; `data_dir` holds the names of the collections.
        model: Options of the network.
        augmentation: Random changes of the training images.
        enhancement: Window and filters of the input.
        training: Options of the Trainer. They are copied, and `checked_arguments` sets what the training requires.
        cohorts: Collections that were indexed before, in place of `data.data_dir`; empty if there are none.
        takes: Kind of images that the model takes.

    Raises:
        ValueError: If an option of the Trainer is not supported.
    """

    data: DataArguments
    model: ModelArguments
    augmentation: AugmentationConfig
    enhancement: EnhancementConfig
    training: TrainingArguments
    cohorts: tuple[Cohort, ...] = ()
    takes: InputConfig = field(default_factory=InputConfig)

    def __post_init__(self) -> None:
        object.__setattr__(self, "training", checked_arguments(self.training))


@dataclass(frozen=True)
class _Task:
    """A task with its groups of options, the defaults of the Trainer, and its help."""

    setup: Callable[..., Any]
    groups: Mapping[str, Any]
    defaults: Mapping[str, Any]
    usage: str
    description: str


_TASKS = {
    "classification": _Task(
        TrainingSetup,
        _GROUPS,
        DEFAULTS,
        "%(prog)s --data_dir DATA [DATA ...] [--output_dir FOLDER] [options]\n"
        "       %(prog)s settings.json|settings.yaml\n"
        "       %(prog)s --help lists all options",
        "Fine-tune an image classifier on spine images, evaluate it and save it for prediction.",
    ),
    "vertebrae": _Task(
        VertebraSetup,
        {"data": VertebraArguments, "model": VertebraModelArguments},
        VERTEBRA_DEFAULTS,
        "%(prog)s --task vertebrae --data_dir DATA [DATA ...] [--output_dir FOLDER] [options]",
        "Train networks that find the corners of vertebrae in x-rays, evaluate them and save them for measuring.",
    ),
    "vertebrae in sagittal_mr": _Task(
        SagittalSetup,
        {"data": SagittalArguments, "model": SagittalModelArguments},
        SAGITTAL_DEFAULTS,
        "%(prog)s --task vertebrae --kind sagittal_mr --data_dir DATA [DATA ...] [--output_dir FOLDER] [options]",
        "Train a network that outlines vertebrae in sagittal MR, evaluate it and save it for measuring.",
    ),
}


def make_setup(
    data: TrainingData | Sequence[TrainingData],
    output_dir: str | os.PathLike[str] | None = None,
    *,
    args: TrainingArguments | None = None,
    **options: Any,
) -> AnySetup:
    """Return the setup for Python callers, with the defaults of the command line; see `spinealign.train`.

    Raises:
        TypeError: If an option is unknown.
        ValueError: If a value is out of its range.
    """
    if args is not None and not isinstance(args, TrainingArguments):
        raise TypeError(f"args must be a TrainingArguments, got {type(args).__name__}; pass options as keywords.")
    if "backbone" in options:
        if "model_name_or_path" in options:
            raise TypeError("backbone and model_name_or_path are the same option; pass one of them.")
        options["model_name_or_path"] = options.pop("backbone")
    task = _task(options)
    _check_names(options, task, with_trainer=args is None)
    if "model_name_or_path" in options:
        options["model_name_or_path"] = os.fspath(options["model_name_or_path"])
    items = [data] if isinstance(data, str | os.PathLike | Cohort) else list(data)
    if not items:
        raise ValueError("data is empty; pass at least one folder, manifest, Hub dataset id or Cohort.")
    cohorts = tuple(item for item in items if isinstance(item, Cohort))
    if cohorts and task.setup is not TrainingSetup:
        raise TypeError("The task vertebrae takes folders, tables, COCO files and Hub ids, not Cohorts.")
    if cohorts and len(cohorts) < len(items):
        raise TypeError("data must be either paths and Hub ids, or Cohorts, not a mixture; use load_cohort.")
    reading = [item.name for item in fields(CollectionOptions) if options.get(item.name) and item.name != "labels"]
    if cohorts and reading:
        raise TypeError(f"{reading[0]} does not apply to a Cohort; pass it to load_cohort.")
    options["data_dir"] = [item.name if isinstance(item, Cohort) else os.fspath(item) for item in items]
    options = {**_cohort_options(cohorts), **options}
    groups = {
        group: kind(**{item.name: options.pop(item.name) for item in fields(kind) if item.name in options})
        for group, kind in task.groups.items()
    }
    chosen = {**task.defaults, **options} if args is None else {}
    given = {"cohorts": cohorts} if cohorts else {}
    setup = task.setup(**groups, training=args or TrainingArguments(**chosen), **given)
    if output_dir is not None:
        setup.training.output_dir = os.fspath(output_dir)  # the setup has its own copy
    return setup


def _cohort_options(cohorts: Sequence[Cohort]) -> dict[str, Any]:
    """Return the options with which cohorts were split, so that the training repeats and records their splits.

    Raises:
        ValueError: If they were loaded with different options.
    """
    attributes = ("split_method", "split_seed", "source_pattern", "patient_pattern")
    made = {tuple(getattr(cohort, name) for name in attributes) for cohort in cohorts}
    if len(made) > 1:
        raise ValueError("The cohorts were loaded with different splits, seeds or patterns; load them alike.")
    values = dict(zip(("split", "seed", "source_pattern", "patient_pattern"), next(iter(made), ())))
    return {name: value for name, value in values.items() if value is not None}


def _task(options: Mapping[str, Any]) -> _Task:
    """Return the task that options name with `task` and `kind`."""
    name, kind = options.get("task") or "classification", options.get("kind")
    if name not in ("classification", "vertebrae"):
        raise ValueError(f"task must be one of classification, vertebrae, got {name!r}.")
    return _TASKS.get(f"{name} in {kind}", _TASKS[name])


def _check_names(options: Iterable[str], task: _Task, *, with_trainer: bool) -> None:
    own = {item.name for kind in task.groups.values() for item in fields(kind)}
    trainer = {item.name for item in fields(TrainingArguments) if item.init}
    known = own | trainer if with_trainer else own
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known | {"backbone"}, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            where = " Set it in args." if name in trainer else ""
            raise TypeError(f"Unknown training option {name!r}.{hint}{where}")


def parse_training_setup(arguments: Sequence[str], *, prog: str | None = None) -> AnySetup:
    """Parse a command line of `spinealign train`, or the settings file that it names.

    Raises:
        SystemExit: On wrong usage and on `--help`, as argparse does.
        OSError: If the settings file cannot be read.
        ValueError: If it is not a mapping of option names to values, or an option of the Trainer is not supported.
    """
    if len(arguments) == 1 and arguments[0].endswith(SETTINGS_SUFFIXES):
        arguments = _settings_words(Path(arguments[0]))
    words = [word for argument in arguments for word in argument.split("=", maxsplit=1)]
    given = dict(pairwise(words))
    task = _task({"task": "vertebrae", "kind": given.get("--kind")} if given.get("--task") == "vertebrae" else {})
    parser = HfArgumentParser(
        [*task.groups.values(), TrainingArguments],
        prog=prog,
        usage=task.usage,
        description=task.description,
        epilog="The options from --output_dir on are those of transformers.TrainingArguments. A settings file maps "
        "option names to values.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(**task.defaults)
    try:
        parsed = parser.parse_args_into_dataclasses(args=list(arguments), look_for_args_file=False)
    except (ValueError, ImportError) as error:  # an option of the Trainer may need a package
        parser.error(" ".join(str(error).split()))
    setup: AnySetup = task.setup(**dict(zip((*task.groups, "training"), parsed)))
    return setup


def _settings_words(path: Path) -> list[str]:
    """Return the words of a command line for a settings file."""
    text = path.read_text(encoding="utf-8-sig")
    try:
        settings = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be parsed: {' '.join(str(error).split())}.") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path} must map option names to values, such as data_dir and output_dir.")
    try:
        _check_names(settings.keys() - {"backbone"}, _task(settings), with_trainer=True)
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
