"""Push a checkpoint to the Hub, in one commit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from spinealign.checkpoint.files import CARD_FILE
from spinealign.errors import CheckpointError
from spinealign.hub.checks import check_checkpoint
from spinealign.hub.contents import CHECKPOINT_FILES, checkpoint_files
from spinealign.hub.model_page import card_for, read_card
from spinealign.hub.repository import Commit, Repository

MESSAGE = "Upload with spinealign"


@dataclass(frozen=True)
class PlannedFile:
    """One file of a push.

    Attributes:
        name: Its name in the repository.
        size: Bytes.
    """

    name: str
    size: int


def plan_push(folder: str | os.PathLike[str]) -> tuple[PlannedFile, ...]:
    """Check a checkpoint and list what a push would upload; the Hub is not asked.

    Args:
        folder: The checkpoint.

    Raises:
        CheckpointError: If it is not fit to be pushed; the message names what is missing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"There is no folder {folder}; pass a checkpoint that spinealign train wrote.")
    check_checkpoint(folder)
    return tuple(PlannedFile(name, path.stat().st_size) for name, path in checkpoint_files(folder).items())


def push_to_hub(
    folder: str | os.PathLike[str],
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    token: str | None = None,
    message: str = MESSAGE,
) -> Commit:
    """Push a checkpoint, and nothing else of its folder, in one commit.

    Args:
        folder: What a training wrote.
        repo_id: owner/name, or a name alone for your own account; it is made where there is none.
        private: Make it a repository that nobody else may see; one that is public already is refused.
        revision: The branch; one that is not there grows from the main one.
        token: An access token that may write; None takes the one of `hf auth login` or HF_TOKEN.
        message: What the commit is called.

    Returns:
        The commit.

    Raises:
        CheckpointError: If the checkpoint is not fit to be pushed.
        HubError: If the Hub refuses or cannot be reached; it holds all of the push then, or nothing of it.
        ValueError: If the revision or the message is empty.
    """
    plan_push(folder)
    repository = Repository(repo_id, revision=revision, private=private, token=token).checked()
    files: dict[str, Path | bytes] = {**checkpoint_files(Path(folder))}
    files[CARD_FILE] = card_for(repository.repo_id, read_card(Path(folder) / CARD_FILE)).encode()
    return repository.push(files, message=message, owned=CHECKPOINT_FILES)
