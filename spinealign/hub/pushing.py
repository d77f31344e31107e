"""Push of a checkpoint to the Hub, in a single commit."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from spinealign.checkpoint.files import CARD_FILE, CHECKPOINT_FILES, checkpoint_files
from spinealign.errors import CheckpointError
from spinealign.hub.checks import check_checkpoint, read_card
from spinealign.hub.repository import Commit, Content, Repository

MESSAGE = "Upload with spinealign"


@dataclass(frozen=True)
class PlannedFile:
    """A file of a push.

    Attributes:
        name: Name in the repository.
        size: Size in bytes.
    """

    name: str
    size: int


def plan_push(folder: str | os.PathLike[str]) -> tuple[PlannedFile, ...]:
    """Check a checkpoint and list the files that a push would upload, without network access.

    Raises:
        CheckpointError: If the checkpoint cannot be published; the message names the cause.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"There is no folder {folder}. Pass a checkpoint that spinealign train wrote.")
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
    plan_push(folder)
    repository = Repository(repo_id, revision=revision, private=private, token=token).checked()
    files: dict[str, Content] = {**checkpoint_files(Path(folder))}
    files[CARD_FILE] = card_for(repository.repo_id, read_card(Path(folder) / CARD_FILE)).encode()
    return repository.push(files, message=message, owned=CHECKPOINT_FILES)


def card_for(repo_id: str, text: str) -> str:
    """Return a card whose examples load the model from a repository instead of a folder."""
    return re.sub(r'model="path/to/[^"]*"', lambda _: f'model="{repo_id}"', text)
