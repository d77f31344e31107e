"""Checkpoint lookup: the embedded model, a folder, or a Hub repository."""

from __future__ import annotations

import os
import re
from pathlib import Path

from spinealign.checkpoint.checkpoint import Checkpoint, Engine, refuse_pickles
from spinealign.checkpoint.files import (
    ASSETS,
    CONFIG_FILE,
    FRONTAL_XRAY,
    ONNX_FILE,
    REFINER_FILE,
    SAGITTAL_MR,
    SMALL_FILES,
    WEIGHTS_FILE,
    Task,
)
from spinealign.errors import CheckpointError
from spinealign.hub_errors import explain
from spinealign.writing import finish_replacement

DEFAULT_MODEL, DEFAULT_FOLDER = "spinealign/default", ASSETS / "default"
EMBEDDED = {  # names and folders of the models by task, or kind of images in which they find vertebrae
    "classification": (DEFAULT_MODEL, DEFAULT_FOLDER),
    FRONTAL_XRAY: ("spinealign/xray", ASSETS / "xray"),
    SAGITTAL_MR: ("spinealign/mri", ASSETS / "mri"),
}
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def find_checkpoint(  # noqa: PLR0913 - the keywords of the Hugging Face libraries
    model: str | os.PathLike[str] | None = None,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    engine: Engine = "onnx",
    task: Task = "classification",
    kind: str | None = None,
) -> Checkpoint:
    """Find a checkpoint, without loading its weights. From the Hub, only the files for the engine are downloaded.

    The arguments are those of `Predictor.from_pretrained`, the task of the model, and the kind of images in which it
    finds vertebrae; None for any kind, and for the embedded x-ray model.

    Raises:
        CheckpointError: If the checkpoint or revision does not exist, is incomplete, or contains a pickle.
        ValueError: If the revision is empty.
    """
    if revision == "":
        raise ValueError("revision is empty: pass a branch, tag or commit, or None for the main branch.")
    if revision is not None and (model is None or os.path.isdir(model)):
        raise CheckpointError(
            f"{model or _embedded(task, kind)[0]} is not on the Hub, so it has no revision {revision!r}."
        )
    if model is None:
        name, folder = _embedded(task, kind)
        if not folder.is_dir():
            raise CheckpointError(f"This release embeds no model {name}; name a folder or a Hub id.")
        return _checked(Checkpoint(folder, name), task, kind=kind)
    if os.path.isdir(model):  # unlike Path.is_dir, this never raises
        checkpoint = Checkpoint(Path(model), os.fspath(model))
        try:
            finish_replacement(checkpoint.folder, key=CONFIG_FILE)
        except OSError as error:
            raise CheckpointError(
                f"{checkpoint.name} is being replaced, or a training was killed while it replaced it: load it once as "
                f"a user who may write the folder ({error.strerror})."
            ) from error
        refuse_pickles(checkpoint.folder, name=checkpoint.name)
        return _checked(checkpoint, task, kind=kind)
    model_id = os.fspath(model)
    if not _HUB_ID.fullmatch(model_id):
        raise CheckpointError(f"There is no folder {model_id}, and it is not a Hub id of the form owner/name.")

    def fetch(*names: str, revision: str | None) -> Path:
        from huggingface_hub import snapshot_download

        try:
            return Path(
                snapshot_download(
                    model_id,
                    revision=revision,
                    token=token,
                    cache_dir=None if cache_dir is None else Path(cache_dir),
                    local_files_only=local_files_only,
                    allow_patterns=list(names),
                )
            )
        except Exception as error:  # the client's own classes, those of its transport, and OSError
            raise CheckpointError(explain(error, model_id, revision=revision)) from error

    folder = fetch(*SMALL_FILES, revision=revision)
    checkpoint = Checkpoint(folder, f"{model_id}@{folder.name}")
    checkpoint.check_kind(task)  # before the weights are downloaded
    for weights in (ONNX_FILE, WEIGHTS_FILE) if engine == "onnx" else (WEIGHTS_FILE,):
        fetch(CONFIG_FILE, weights, *([REFINER_FILE] if task == "vertebrae" else []), revision=folder.name)
        if checkpoint.path(weights):
            break
    return _checked(checkpoint, task, kind=kind)


def _embedded(task: Task, kind: str | None) -> tuple[str, Path]:
    """Return the name and the folder of an embedded model."""
    return EMBEDDED[task if task == "classification" else kind or FRONTAL_XRAY]


def _checked(checkpoint: Checkpoint, task: Task, *, kind: str | None) -> Checkpoint:
    checkpoint.check_kind(task)
    if kind and kind != checkpoint.kind:
        raise CheckpointError(f"{checkpoint.name} measures images of the kind {checkpoint.kind}, not {kind}.")
    if not checkpoint.path(ONNX_FILE) and not checkpoint.path(WEIGHTS_FILE):
        raise CheckpointError(
            f"{checkpoint.name} has neither {ONNX_FILE} nor {WEIGHTS_FILE}, and other weights are not read. If it was "
            f"copied in part, {checkpoint.remedy}; otherwise convert its weights to safetensors."
        )
    return checkpoint


def folder_version(folder: str) -> tuple[tuple[str, int], ...]:
    """Return the files of a checkpoint folder with their times, so that a model that was trained again is reloaded.

    For a Hub id the result is empty.
    """
    if not os.path.isdir(folder):
        return ()
    with os.scandir(os.path.realpath(folder)) as entries:
        return tuple(sorted((entry.path, entry.stat(follow_symlinks=False).st_mtime_ns) for entry in entries))
