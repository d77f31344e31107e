"""Fetch files of a model from the Hub, or take them from its cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spinealign.errors import CheckpointError
from spinealign.hub_errors import explain


def fetch(model_id: str, *, revision: str | None, names: Sequence[str]) -> Path:
    """Fetch the files of these names, as far as the repository has them.

    Args:
        model_id: A Hub id, owner/name.
        revision: Branch, tag or commit; None takes the main branch.
        names: The wanted files.

    Returns:
        The folder of the cache in which they lie; its name is the commit.

    Raises:
        CheckpointError: If the Hub refuses or cannot be reached, and the cache has not all of them.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model_id, revision=revision, allow_patterns=list(names)))
    except Exception as error:  # the client raises its own tree, the transport's, and OSError
        raise CheckpointError(explain(error, model_id, revision=revision)) from error
