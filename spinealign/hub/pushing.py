"""Push of a checkpoint to the Hub in a single commit, at the end of its training or later."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from spinealign.checkpoint.checkpoint import refuse_pickles
from spinealign.checkpoint.files import CARD_FILE, CHECKPOINT_FILES, checkpoint_files
from spinealign.errors import CheckpointError, HubError, require
from spinealign.hub.checks import check_checkpoint, read_card, unfinished
from spinealign.hub.repository import Commit, Content, Repository

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from spinealign.training.pipeline import TrainingResult
    from spinealign.training.sagittal.pipeline import SagittalTrainingResult
    from spinealign.training.setup import AnySetup, TrainingData
    from spinealign.training.vertebrae.pipeline import VertebraTrainingResult

    Setup = TypeVar("Setup", bound=AnySetup)

MESSAGE = "Upload with spinealign"
TRAINING_PACKAGES = (
    "accelerate", "datasets", "evaluate", "matplotlib", "monai", "onnx", "onnxscript", "sklearn", "tensorboard",
    "torch", "transformers",
)  # fmt: skip


def plan_push(folder: str | os.PathLike[str]) -> dict[str, int]:
    """Check a checkpoint, and return the files that a push would upload with their sizes in bytes, without network.

    Raises:
        CheckpointError: If the checkpoint cannot be published; the message names the cause.
    """
    check_checkpoint(Path(folder))
    return {name: path.stat().st_size for name, path in checkpoint_files(Path(folder)).items()}


def push_to_hub(
    folder: str | os.PathLike[str],
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    token: str | None = None,
    message: str = MESSAGE,
) -> Commit:
    """Push a checkpoint in a single commit; other files of the folder are not uploaded.

    Args:
        folder: Folder of a checkpoint.
        repo_id: `owner/name`, or `name` for your own account; the repository is created if missing.
        private: Whether the repository must be private; a public one is then refused.
        revision: Branch; it is created from the main branch if missing.
        token: Access token with write permission; None uses `hf auth login` or HF_TOKEN.
        message: Title of the commit.

    Raises:
        CheckpointError: If the checkpoint cannot be published.
        HubError: If the Hub refuses or cannot be reached. A push is never applied in part.
        ValueError: If the revision or the message is empty.
    """
    return _push(Path(folder), Repository(repo_id, revision=revision, private=private, token=token), message)


def _push(folder: Path, repository: Repository, message: str) -> Commit:
    checkpoint = check_checkpoint(folder)
    repository = repository.checked()
    files: dict[str, Content] = {
        name: path.read_bytes() if path.suffix == ".json" else path for name, path in checkpoint_files(folder).items()
    }
    text = read_card(folder / CARD_FILE)

    def card(_: bytes | None) -> bytes:
        checkpoint.check_unchanged()  # the other files are hashed by now
        return card_for(repository.repo_id, text).encode()

    del files[CARD_FILE]
    return repository.push({**files, CARD_FILE: card}, message=message, owned=CHECKPOINT_FILES)


def card_for(repo_id: str, text: str) -> str:
    """Return a card whose examples load the model from a repository instead of a folder."""
    return re.sub(r'model="path/to/[^"]*"', lambda _: f'model="{repo_id}"', text)


@overload
def train(
    data: TrainingData | Sequence[TrainingData],
    output_dir: str | os.PathLike[str] | None = None,
    *,
    task: Literal["vertebrae"],
    kind: Literal["sagittal_mr"],
    args: TrainingArguments | None = None,
    **options: Any,
) -> SagittalTrainingResult: ...


@overload
def train(
    data: TrainingData | Sequence[TrainingData],
    output_dir: str | os.PathLike[str] | None = None,
    *,
    task: Literal["vertebrae"],
    args: TrainingArguments | None = None,
    **options: Any,
) -> VertebraTrainingResult: ...


@overload
def train(
    data: TrainingData | Sequence[TrainingData],
    output_dir: str | os.PathLike[str] | None = None,
    *,
    task: Literal["classification"] = "classification",
    args: TrainingArguments | None = None,
    **options: Any,
) -> TrainingResult: ...


def train(
    data: TrainingData | Sequence[TrainingData],
    output_dir: str | os.PathLike[str] | None = None,
    *,
    args: TrainingArguments | None = None,
    **options: Any,
) -> TrainingResult | VertebraTrainingResult | SagittalTrainingResult:
    """Train, evaluate and save a model; return the checkpoint folder with its evaluations.

    The checkpoints of the Trainer are in `training/` below the output folder until the training ends. A killed training
    continues from the last of them when it is started again with the same options.

    Args:
        data: A folder, manifest, Hub dataset id or `Cohort`, or several of these.
        output_dir: Folder of the checkpoint; `spinealign-model` by default.
        args: Ready `transformers.TrainingArguments`; they keep their values.
        **options: Options of `spinealign train` and their defaults: without `args`, all fields of
            `transformers.TrainingArguments`, and `task`, `backbone`, `split`, `on_leakage`, `folds`, `rotation_deg` and
            the other options that `spinealign train --help` lists. `push_to_hub=True` pushes the finished checkpoint.

    Raises:
        CohortError: If a collection cannot be used.
        CheckpointError: If the backbone cannot be loaded.
        HubError: If a push was requested and is not possible.
        MissingDependencyError: If the extra `train` is not installed.
        TypeError: If an option is unknown.
        ValueError: If a value is out of its range, or the output folder holds an unfinished run with other options.
    """
    require(*TRAINING_PACKAGES, extra="train")
    from spinealign.training.running import run
    from spinealign.training.setup import make_setup

    setup, destination = split_off_push(make_setup(data, output_dir, args=args, **options))
    result = run(setup)
    if destination is not None and result.saved_in:
        result = replace(result, push_summary=push_trained(result.saved_in, destination).summary)
    return result


def split_off_push(setup: Setup) -> tuple[Setup, Repository | None]:
    """Return the setup without the Trainer's own push, which would upload pickles, and the destination of ours.

    Raises:
        CheckpointError: If the output folder has a pickle, or the notes for the card are not finished.
        HubError: If the destination cannot be written.
    """
    training = setup.training
    if not training.push_to_hub:
        return setup, None
    folder, notes = Path(training.output_dir), Path(setup.model.card_notes or "")
    if folder.is_dir():
        refuse_pickles(folder, name=str(folder))
    gaps = unfinished(read_card(notes), present=CHECKPOINT_FILES) if notes.is_file() else []
    if gaps:
        raise CheckpointError(f"The notes {notes} have gaps: {'; '.join(gaps)}. Fill them, then try again.")
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
        return _push(folder, destination, MESSAGE)
    except (CheckpointError, HubError) as error:
        words = ["spinealign", "push", str(folder), destination.repo_id]
        words += ["--private"] if destination.private else []
        words += ["--revision", destination.revision] if destination.revision else []
        raise type(error)(f"{error} The trained checkpoint is kept. Push it later: {shlex.join(words)}") from error
