"""Find a checkpoint - embedded, in a folder or on the Hub - and read what travels with its weights."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from spinealign.checkpoint.fetching import fetch
from spinealign.checkpoint.files import CONFIG_FILE, METRICS_FILE, ONNX_FILE, PREPROCESSOR_FILE, WEIGHTS_FILE
from spinealign.config import NOVELTY_FILE, SETTINGS_FILE, ConditioningConfig, ModelSettings
from spinealign.errors import CheckpointError
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.novelty import NoveltyStatistics

Engine = Literal["onnx", "torch"]

DEFAULT_MODEL = "spinealign/default"
DEFAULT_FOLDER = Path(__file__).parent.parent / "assets" / "default"
PICKLE_SUFFIXES = frozenset({".bin", ".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"})
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a model and what it needs to be used.

    Attributes:
        folder: Where the files lie.
        model: Its name: `spinealign/default`, the folder as it was given, or the Hub id with its commit.
    """

    folder: Path
    model: str

    @property
    def name(self) -> str:
        """What it is called in messages, which clients of the page may read: without the folders of this machine."""
        return os.path.basename(os.path.abspath(self.folder)) if Path(self.model) == self.folder else self.model

    @property
    def remedy(self) -> str:
        """What to do about a damaged file of it."""
        model_id, _, commit = self.model.partition("@")
        if commit and commit == self.folder.name:
            return f"delete it from the cache (hf cache rm model/{model_id}), then load it again"
        return "fetch it again"

    def path(self, name: str) -> Path | None:
        """Return the path of one of its files, or None if it has no such file."""
        path = self.folder / name
        return path if path.is_file() else None

    def read_json(self, name: str) -> dict[str, Any]:
        """Read one of its JSON files.

        Raises:
            CheckpointError: If it is missing or damaged.
        """
        path = self.path(name)
        if path is None:
            raise CheckpointError(f"{self.name} has no {name}; it is no image classifier, or was copied in part.")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise CheckpointError(f"{name} of {self.name} is damaged; {self.remedy}.") from error
        if not isinstance(content, dict):
            raise CheckpointError(f"{name} of {self.name} is damaged; {self.remedy}.")
        return content

    def check_kind(self) -> None:
        """Check that the network classifies images, before its weights are fetched or read.

        Raises:
            CheckpointError: If it does something else, or does not say what it does.
        """
        names = [str(name) for name in self.read_json(CONFIG_FILE).get("architectures") or ()]
        if names and not any("ForImageClassification" in name or name.endswith("Classifier") for name in names):
            raise CheckpointError(
                f"{self.name} is no image classifier: its {CONFIG_FILE} says {', '.join(names)}. Take a model that "
                "classifies images."
            )

    @property
    def is_plain(self) -> bool:
        """Whether it knows nothing of spinealign: it is not calibrated, and takes any image for a known one."""
        return self.path(SETTINGS_FILE) is None

    def check(self) -> None:
        """Read everything that lies beside the weights, once, before the first image.

        Raises:
            CheckpointError: If something is missing or damaged.
        """
        _ = self.labels, self.settings, self.novelty

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes in the order of the logits.

        Raises:
            CheckpointError: If the configuration names none.
        """
        try:
            id2label = self.read_json(CONFIG_FILE)["id2label"]
            labels = {int(key): str(name) for key, name in id2label.items()}
            if sorted(labels) != list(range(len(labels))) or len(set(labels.values())) != len(labels):
                raise ValueError("numbers or names are not those of a list of classes")
            return tuple(labels[index] for index in range(len(labels)))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise CheckpointError(f"{CONFIG_FILE} of {self.name} names no classes (id2label).") from error

    @cached_property
    def settings(self) -> ModelSettings:
        """What `spinealign.json` says; without one, the input that `preprocessor_config.json` describes.

        Raises:
            CheckpointError: If the file that there is is damaged, or asks for what is not supported.
        """
        name = SETTINGS_FILE if self.path(SETTINGS_FILE) else PREPROCESSOR_FILE
        content = self.read_json(name)
        try:
            if name == SETTINGS_FILE:
                return ModelSettings.from_json(content)
            return ModelSettings(conditioning=ConditioningConfig.from_preprocessor(content))
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{name} of {self.name} cannot be used: {error}.") from error

    @cached_property
    def novelty(self) -> NoveltyStatistics | None:
        """What known images look like to the network; None where the checkpoint does not say.

        Raises:
            CheckpointError: If the file is missing or damaged although the settings ask for it.
        """
        if self.settings.novelty is None:
            return None
        path = self.path(NOVELTY_FILE)
        if path is None:
            raise CheckpointError(f"{self.name} has no {NOVELTY_FILE}; it was copied in part. Fetch it again.")
        from safetensors.numpy import load_file

        try:
            tensors = load_file(path)
            return NoveltyStatistics(tensors["means"], tensors["whitening"])
        except Exception as error:  # the reader raises a class of its own, which its package hides
            raise CheckpointError(f"{NOVELTY_FILE} of {self.name} is damaged; {self.remedy}.") from error

    @cached_property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """What was measured when the model was trained.

        Raises:
            CheckpointError: If `metrics.json` is missing, damaged or holds something else.
        """
        content = self.read_json(METRICS_FILE)
        try:
            return tuple(Evaluation.from_dict(item) for item in content["evaluations"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{METRICS_FILE} of {self.name} holds no evaluation; train it again.") from error


def find_checkpoint(
    model: str | os.PathLike[str] | None = None, *, revision: str | None = None, engine: Engine = "onnx"
) -> Checkpoint:
    """Find a checkpoint, fetching from the Hub only what the engine needs.

    Args:
        model: A folder, a Hub id, or None for the embedded default.
        revision: Branch, tag or commit on the Hub.
        engine: The engine that is wanted; a checkpoint without ONNX comes with its torch weights.

    Returns:
        The checkpoint; its weights are not read yet.

    Raises:
        CheckpointError: If there is none, or none of this revision, it is incomplete, or it holds a pickle.
        ValueError: If the revision is empty.
    """
    if revision == "":
        raise ValueError("revision is empty: name a branch, tag or commit, or leave it out for the main branch.")
    if revision is not None and (model is None or os.path.isdir(model)):
        raise CheckpointError(f"{model or DEFAULT_MODEL} is not on the Hub, so it has no revision {revision!r}.")
    if model is None:
        return _checked(Checkpoint(DEFAULT_FOLDER, DEFAULT_MODEL))
    folder = Path(model)
    if os.path.isdir(folder):  # unlike the method of Path, this never raises
        checkpoint = Checkpoint(folder, os.fspath(model))
        refuse_pickles(folder, name=checkpoint.name)
        return _checked(checkpoint)
    if not _HUB_ID.fullmatch(str(model)):
        raise CheckpointError(f"There is no folder {model}, and it is no Hub id of the form owner/name.")
    return _checked(_fetched(str(model), revision, engine))


def refuse_pickles(folder: Path, *, name: str) -> None:
    """Refuse a folder in which a pickle lies.

    Args:
        folder: The folder; what lies in folders of it is not looked at.
        name: What it is called in messages.

    Raises:
        CheckpointError: If one does, or the folder cannot be read.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error.strerror}.") from error
    pickles = [file for file in names if os.path.splitext(file)[1].lower() in PICKLE_SUFFIXES]
    if pickles:
        raise CheckpointError(
            f"{name} holds {', '.join(pickles)}: a Python pickle, which can run code when it is opened. "
            "spinealign reads safetensors and ONNX; convert the weights, or delete the file if they lie beside it."
        )


def weights_file(checkpoint: Checkpoint, engine: Engine) -> str:
    """Return the name of the weights that an engine runs; a checkpoint without ONNX runs through torch.

    Raises:
        CheckpointError: If torch is wanted and there are no weights for it.
    """
    if engine == "onnx" and checkpoint.path(ONNX_FILE):
        return ONNX_FILE
    if checkpoint.path(WEIGHTS_FILE) is None:
        raise CheckpointError(f"{checkpoint.name} has no {WEIGHTS_FILE}; use engine='onnx'.")
    return WEIGHTS_FILE


def _checked(checkpoint: Checkpoint) -> Checkpoint:
    checkpoint.check_kind()
    if not checkpoint.path(ONNX_FILE) and not checkpoint.path(WEIGHTS_FILE):
        raise CheckpointError(
            f"{checkpoint.name} has neither {ONNX_FILE} nor {WEIGHTS_FILE}, and other weights are not read; fetch it "
            "again if it was copied in part, or convert its weights to safetensors."
        )
    return checkpoint


def _fetched(model_id: str, revision: str | None, engine: Engine) -> Checkpoint:
    """Fetch what the engine needs: first what is small and says what the model is and scores, then the weights."""
    small = [CONFIG_FILE, PREPROCESSOR_FILE, SETTINGS_FILE, NOVELTY_FILE, METRICS_FILE]
    folder = fetch(model_id, revision=revision, names=small)
    checkpoint = Checkpoint(folder, f"{model_id}@{folder.name}")
    checkpoint.check_kind()
    for weights in (ONNX_FILE, WEIGHTS_FILE) if engine == "onnx" else (WEIGHTS_FILE,):
        fetch(model_id, revision=folder.name, names=[CONFIG_FILE, weights])
        if checkpoint.path(weights):
            break
    return checkpoint
