"""The command `train`."""

from __future__ import annotations

import shlex
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spinealign.cli.options import told_of
from spinealign.errors import CheckpointError, HubError, require

if TYPE_CHECKING:
    from spinealign.hub.repository import Repository
    from spinealign.training.arguments import TrainingSetup

TRAINING_PACKAGES = (
    "accelerate", "datasets", "evaluate", "matplotlib", "monai", "onnx", "onnxscript", "scipy", "sklearn",
    "tensorboard", "torch", "transformers",
)  # fmt: skip


def run_training(arguments: list[str], prog: str) -> int:
    """Run `spinealign train`; its options are those of `modeling.arguments` and of transformers."""
    require(*TRAINING_PACKAGES, extra="train")
    from transformers.utils.logging import disable_progress_bar

    from spinealign.reporting.evaluation_text import format_cross_validation, format_evaluations, format_summary
    from spinealign.training.arguments import parse_training_setup
    from spinealign.training.pipeline import train

    disable_progress_bar()  # of reading and writing weights; long work keeps its own
    setup, destination = _apart(parse_training_setup(arguments, prog=prog))
    result = train(setup)
    if result.evaluations:  # of several processes, one prints and pushes
        for item in result.cross_validations:
            print(f"{format_cross_validation(item)}\n")
        print(f"{format_evaluations(result.evaluations)}\n\n{format_summary(result.evaluations)}")
        print(result.selection)
        print(f"The checkpoint lies in {result.folder}")
        if destination is not None:
            push_trained(result.folder, destination)
    return 0


def _apart(setup: TrainingSetup) -> tuple[TrainingSetup, Repository | None]:
    """Take the push out of what the Trainer is told, for its own would upload pickles, and see that it can work.

    Returns:
        The setup without it, and where the finished checkpoint is pushed; None where nowhere.

    Raises:
        CheckpointError: If what lies there already could not be pushed; then nothing is trained.
        HubError: If the push could not succeed; then nothing is trained.
        ValueError: If it is asked to push while it trains.
    """
    told = setup.training
    if told.hub_strategy != "end" or told.hub_always_push:
        raise ValueError(
            "a training pushes once, when its checkpoint is finished: leave hub_always_push out, and hub_strategy at "
            "'end'. What the Trainer would push before holds pickles."
        )
    if not told.push_to_hub:
        return setup, None
    from spinealign.hub.checks import check_before_training
    from spinealign.hub.repository import Repository

    check_before_training(Path(told.output_dir), Path(setup.model.card_notes) if setup.model.card_notes else None)
    destination = Repository(
        told.hub_model_id or Path(told.output_dir).resolve().name,
        revision=told.hub_revision,
        private=bool(told.hub_private_repo),
        token=told.hub_token,
    ).checked()
    quiet = copy(told)
    quiet.push_to_hub = False
    return replace(setup, training=quiet), destination


def push_trained(folder: Path, destination: Repository) -> None:
    """Push a finished checkpoint, and print where it is; where that fails, say how to do it later.

    Args:
        folder: The checkpoint.
        destination: Where it goes.

    Raises:
        CheckpointError: If the checkpoint is not fit to be pushed; it stays.
        HubError: If the Hub refuses or cannot be reached; the checkpoint stays.
    """
    from spinealign.hub import push_to_hub

    try:
        commit = push_to_hub(
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
        told = str(error).removesuffix(".")
        raise type(error)(f"{told}. The training is not lost; push it later by: {shlex.join(words)}") from error
    print(told_of(commit))
