"""Training with an optional push of the finished checkpoint."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinealign.errors import CheckpointError, HubError, require
from spinealign.hub.checks import check_before_training
from spinealign.hub.pushing import push_to_hub
from spinealign.hub.repository import Commit, Repository

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from spinealign.training.pipeline import TrainingResult
    from spinealign.training.setup import TrainingData, TrainingSetup

TRAINING_PACKAGES = (
    "accelerate", "datasets", "matplotlib", "monai", "onnx", "onnxscript", "scipy", "sklearn",
    "tensorboard", "torch", "transformers",
)  # fmt: skip


def train(
    data: TrainingData | Sequence[TrainingData],
    output_dir: str | os.PathLike[str] | None = None,
    *,
    args: TrainingArguments | None = None,
    **options: Any,
) -> TrainingResult:
    """Train, evaluate and save a classifier; return the checkpoint folder with its evaluations.

    The checkpoints of the Trainer are in `training/` below the output folder until the training ends. A killed training
    continues from the last of them when it is started again with the same options.

    Args:
        data: A folder, manifest, Hub dataset id or `Cohort`, or several of these.
        output_dir: Folder of the checkpoint; `spinealign-model` by default.
        args: Ready `transformers.TrainingArguments`; they keep their values.
        **options: Options of `spinealign train` and their defaults: without `args`, all fields of
            `transformers.TrainingArguments`, and `backbone`, `split`, `on_leakage`, `folds`, `rotation_deg` and the
            other options that `spinealign train --help` lists. `push_to_hub=True` pushes the finished checkpoint.

    Raises:
        CohortError: If a collection cannot be used.
        CheckpointError: If the backbone cannot be loaded.
        HubError: If a push was requested and is not possible.
        MissingDependencyError: If the extra `train` is not installed.
        TypeError: If an option is unknown.
        ValueError: If a value is out of its range, or the output folder holds an unfinished run with other options.
    """
    require(*TRAINING_PACKAGES, extra="train")
    from spinealign.training.pipeline import run_training
    from spinealign.training.setup import make_setup

    setup, destination = split_off_push(make_setup(data, output_dir, args=args, **options))
    result = run_training(setup)
    if destination is not None and result.evaluations:  # only the main process evaluates and pushes
        result = replace(result, push_summary=push_trained(result.folder, destination).summary)
    return result


def split_off_push(setup: TrainingSetup) -> tuple[TrainingSetup, Repository | None]:
    """Return the setup without the Trainer's own push, which would upload pickles, and the destination of ours."""
    training = setup.training
    if not training.push_to_hub:
        return setup, None
    folder = Path(training.output_dir)
    check_before_training(folder, Path(setup.model.card_notes) if setup.model.card_notes else None)
    destination = Repository(
        training.hub_model_id or folder.resolve().name,
        revision=training.hub_revision,
        private=bool(training.hub_private_repo),
        token=training.hub_token,
    ).checked()
    without = copy(training)
    without.push_to_hub = False
    return replace(setup, training=without), destination


def push_trained(folder: Path, destination: Repository) -> Commit:
    """Push a finished checkpoint; if that fails, the error has the command that pushes it later.

    Raises:
        CheckpointError: If the checkpoint cannot be pushed; it is kept.
        HubError: If the Hub refuses or cannot be reached; the checkpoint is kept.
    """
    try:
        return push_to_hub(
            folder,
            destination.repo_id,
            private=destination.private,
            revision=destination.revision,
            token=destination.token,
        )
    except (CheckpointError, HubError) as error:
        words = ["spinealign", "push", str(folder), destination.repo_id]
        words += ["--private"] if destination.private else []
        words += ["--revision", destination.revision] if destination.revision else []
        raise type(error)(f"{error} The trained checkpoint is kept. Push it later: {shlex.join(words)}") from error
