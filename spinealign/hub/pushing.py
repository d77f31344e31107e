"""Push of a checkpoint to the Hub, in a single commit."""

from __future__ import annotations

import os
import re
from pathlib import Path

from spinealign.checkpoint.files import CARD_FILE, CHECKPOINT_FILES, checkpoint_files
from spinealign.hub.checks import check_checkpoint, read_card
from spinealign.hub.repository import Commit, Content, Repository

MESSAGE = "Upload with spinealign"


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
    checkpoint = check_checkpoint(Path(folder))
    repository = Repository(repo_id, revision=revision, private=private, token=token).checked()
    files: dict[str, Content] = {
        name: path.read_bytes() if path.suffix == ".json" else path
        for name, path in checkpoint_files(checkpoint.folder).items()
        if name != CARD_FILE
    }
    text = read_card(checkpoint.folder / CARD_FILE)

    def card(_: bytes | None) -> bytes:
        checkpoint.check_unchanged()  # the other files are hashed by now
        return card_for(repository.repo_id, text).encode()

    return repository.push({**files, CARD_FILE: card}, message=message, owned=CHECKPOINT_FILES)


def card_for(repo_id: str, text: str) -> str:
    """Return a card whose examples load the model from a repository instead of a folder."""
    return re.sub(r'model="path/to/[^"]*"', lambda _: f'model="{repo_id}"', text)
