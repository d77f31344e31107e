"""A checkpoint folder and its parsed contents."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from spinealign.checkpoint.files import (
    CONFIG_FILE,
    FRONTAL_XRAY,
    METRICS_FILE,
    NOVELTY_FILE,
    ONNX_FILE,
    PREPROCESSOR_FILE,
    SAGITTAL_MR,
    SETTINGS_FILE,
    TRAINING_IMAGES_FILE,
    WEIGHTS_FILE,
    Task,
    file_path,
    weights_hint,
)
from spinealign.checkpoint.record import ModelRecord
from spinealign.checkpoint.sagittal_record import SagittalRecord
from spinealign.checkpoint.sagittal_settings import SagittalSettings
from spinealign.checkpoint.settings import ModelSettings
from spinealign.checkpoint.vertebra_record import VertebraRecord
from spinealign.checkpoint.vertebra_settings import VertebraSettings
from spinealign.config import PreprocessingConfig
from spinealign.errors import CheckpointError
from spinealign.labels import Target, find_positive, target_of_outputs
from spinealign.metrics.novelty import NoveltyStatistics

Engine = Literal["onnx", "torch"]
AnyRecord: TypeAlias = ModelRecord | VertebraRecord | SagittalRecord
AnySettings: TypeAlias = ModelSettings | VertebraSettings | SagittalSettings
_Value = TypeVar("_Value")

PICKLE_SUFFIXES = frozenset({".bin", ".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"})


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a model, its settings and its metrics.

    Files are parsed on first use. If one is missing, damaged, of a newer format or of an unknown task, or the files
    were replaced since the first of them was read, the methods and properties raise CheckpointError.

    Attributes:
        folder: Folder of the files.
        model: Name of the model: `spinealign/default`, the folder as given, or the Hub id with its commit.
    """

    folder: Path
    model: str

    @property
    def name(self) -> str:
        """Name for messages. It contains no folders of this machine, because remote clients may read it."""
        return os.path.basename(os.path.abspath(self.folder)) if Path(self.model) == self.folder else self.model

    @property
    def remedy(self) -> str:
        """How to repair a missing or damaged file."""
        model_id, _, commit = self.model.partition("@")
        if commit and commit == self.folder.name:
            return f"delete it from the cache (hf cache rm model/{model_id}), then load it again"
        return "train it again or copy it again"

    def path(self, name: str) -> Path | None:
        """Return the path of a file, or None if the checkpoint does not have it."""
        path = file_path(self.folder, name)
        return path if path.is_file() else None

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a JSON file."""
        try:
            content = json.loads((self.folder / name).read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise ValueError("not an object")
        except FileNotFoundError:
            raise CheckpointError(
                f"{self.name} has no {name}; it is not an image classifier, or was copied in part."
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise CheckpointError(f"{name} of {self.name} is damaged; {self.remedy}.") from error
        self.check_unchanged()
        return content

    @property
    def task(self) -> Task:
        """Task of the network that `config.json` describes."""
        return "classification" if self.kind is None else "vertebrae"

    @property
    def kind(self) -> str | None:
        """Kind of the images in which the network finds vertebrae; None if it does not."""
        kinds = {"VertebraNetwork": FRONTAL_XRAY, "SagittalNetwork": SAGITTAL_MR}
        return next((kinds[name] for name in self._architectures if name in kinds), None)

    @property
    def _architectures(self) -> list[str]:
        return [str(name) for name in self.read_json(CONFIG_FILE).get("architectures") or ()]

    def check_kind(self, task: Task = "classification") -> None:
        """Check that `config.json` describes a network for a task. Weights are not needed for this."""
        names = self._architectures
        finds_vertebrae = self.task == "vertebrae"
        if task == "vertebrae" and not finds_vertebrae:
            raise CheckpointError(
                f"{self.name} does not find vertebrae. Load a classifier with spinealign.Predictor, or choose another "
                "model."
            )
        if task == "classification" and finds_vertebrae:
            raise CheckpointError(
                f"{self.name} finds vertebrae and does not classify images. Load it with spinealign.Aligner, or use "
                "spinealign measure."
            )
        classifies = not names or any("ForImageClassification" in name or name.endswith("Classifier") for name in names)
        if task == "classification" and not classifies:
            raise CheckpointError(
                f"{self.name} is not an image classifier: its {CONFIG_FILE} names {', '.join(names)}. Choose a model "
                "that classifies images."
            )

    def check(self) -> None:
        """Parse labels, settings and novelty statistics, so that errors appear before the first prediction."""
        _ = self.labels, self.settings, self.novelty

    def check_unchanged(self) -> None:
        """Check that no training has replaced the files, so that old and new ones are not used together."""
        if self._first_version != self._version():
            raise CheckpointError(f"{self.name} was replaced while it was in use; load it again.")

    @cached_property
    def _first_version(self) -> tuple[int, int] | None:
        return self._version()

    def _version(self) -> tuple[int, int] | None:
        """Return what identifies the present `config.json`, which is deleted first and written last (`writing`)."""
        try:
            state = os.stat(self.folder / CONFIG_FILE)
        except OSError:
            return None
        return state.st_ino, state.st_mtime_ns

    @property
    def is_plain(self) -> bool:
        """Whether it has no `spinealign.json`, so it is not calibrated and does not reject unknown images."""
        return self.path(SETTINGS_FILE) is None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs in the order of the logits, from `config.json`."""
        try:
            id2label = self.read_json(CONFIG_FILE)["id2label"]
            labels = tuple(str(id2label[str(index)]) for index in range(len(id2label)))
            if len(set(labels)) == len(labels):
                return labels
        except (TypeError, KeyError):
            pass
        raise CheckpointError(f"{CONFIG_FILE} of {self.name} has no valid class names (id2label).")

    @cached_property
    def settings(self) -> ModelSettings:
        """Settings from `spinealign.json`; without it, they are made from the files of transformers."""
        if not self.is_plain:
            return self._parse(SETTINGS_FILE, lambda content: ModelSettings.from_json(content, self.labels))
        target = self._parse(CONFIG_FILE, lambda content: _plain_target(content, self.labels))
        preprocessing = self._parse(PREPROCESSOR_FILE, PreprocessingConfig.from_preprocessor)
        return ModelSettings(target=target, preprocessing=preprocessing)

    @cached_property
    def vertebra_settings(self) -> VertebraSettings:
        """Settings of a model that finds vertebrae, from `spinealign.json`."""
        return self._parse(SETTINGS_FILE, VertebraSettings.from_json)

    @cached_property
    def sagittal_settings(self) -> SagittalSettings:
        """Settings of a model for sagittal MR, from `spinealign.json`."""
        return self._parse(SETTINGS_FILE, SagittalSettings.from_json)

    @property
    def target(self) -> Target:
        """Labels that the model predicts."""
        return self.settings.target

    @cached_property
    def record(self) -> ModelRecord:
        """How the model was trained and evaluated, from `metrics.json`."""
        return self._parse(METRICS_FILE, ModelRecord.from_dict)

    @cached_property
    def vertebra_record(self) -> VertebraRecord:
        """How a model that finds vertebrae was trained and evaluated, from `metrics.json`."""
        return self._parse(METRICS_FILE, VertebraRecord.from_dict)

    @cached_property
    def sagittal_record(self) -> SagittalRecord:
        """How a model for sagittal MR was trained and evaluated, from `metrics.json`."""
        return self._parse(METRICS_FILE, SagittalRecord.from_dict)

    @property
    def described(self) -> tuple[AnyRecord, AnySettings]:
        """Record and settings of a model of any task and kind, as its card states them."""
        if self.kind == SAGITTAL_MR:
            return self.sagittal_record, self.sagittal_settings
        if self.kind == FRONTAL_XRAY:
            return self.vertebra_record, self.vertebra_settings
        return self.record, self.settings

    def _parse(self, name: str, parse: Callable[[dict[str, Any]], _Value]) -> _Value:
        content = self.read_json(name)
        try:
            return parse(content)
        except (TypeError, ValueError) as error:
            reason = str(error).removesuffix(".")
            raise CheckpointError(f"{name} of {self.name} cannot be used: {reason}.") from error

    @cached_property
    def novelty(self) -> NoveltyStatistics | None:
        """Statistics of the training images; None if the model does not reject unknown images."""
        if self.settings.novelty is None:
            return None
        if self.path(NOVELTY_FILE) is None:
            raise CheckpointError(f"{self.name} has no {NOVELTY_FILE}, so it was copied in part; {self.remedy}.")
        return self._read_tensors(
            NOVELTY_FILE, lambda tensors: NoveltyStatistics(tensors["means"], tensors["whitening"])
        )

    @cached_property
    def training_images(self) -> dict[str, NDArray[np.uint64]] | None:
        """Digests of the training images by split (see `training_digests`); None if they were not stored."""
        return self._read_tensors(TRAINING_IMAGES_FILE, dict) if self.path(TRAINING_IMAGES_FILE) else None

    def _read_tensors(self, name: str, build: Callable[[dict[str, NDArray[Any]]], _Value]) -> _Value:
        from safetensors.numpy import load_file

        try:
            value = build(load_file(self.folder / name))
        except Exception as error:  # safetensors does not export the class that it raises
            raise CheckpointError(f"{name} of {self.name} is damaged; {self.remedy}.") from error
        self.check_unchanged()
        return value


def _plain_target(config: Mapping[str, Any], outputs: tuple[str, ...]) -> Target:
    """Return the target of a checkpoint of transformers, whose `problem_type` may be None or absent."""
    if config.get("problem_type") == "regression":
        raise ValueError("its problem_type is regression; choose a classifier")
    several = config.get("problem_type") == "multi_label_classification"
    return target_of_outputs(outputs, positive=find_positive(outputs), multi_label=several)


def refuse_pickles(folder: Path, *, name: str) -> None:
    """Refuse a folder that contains Python pickles, subfolders aside; `name` names the model in messages.

    Raises:
        CheckpointError: If it contains a pickle or cannot be read.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error.strerror}.") from error
    pickles = [file for file in names if os.path.splitext(file)[1].lower() in PICKLE_SUFFIXES]
    if pickles:
        raise CheckpointError(
            f"{name} contains {', '.join(pickles)}: a Python pickle, which can run code when it is loaded. "
            "spinealign reads safetensors and ONNX. Convert the weights, or delete the file if it is not needed."
        )


def weights_file(checkpoint: Checkpoint, engine: Engine) -> str:
    """Return the name of the weights file for an engine. A checkpoint without ONNX runs through torch.

    Raises:
        CheckpointError: If the torch weights are needed and missing.
    """
    if engine == "onnx" and checkpoint.path(ONNX_FILE):
        return ONNX_FILE
    if checkpoint.path(WEIGHTS_FILE) is None:
        other = "use engine='onnx'" if checkpoint.path(ONNX_FILE) else f"it also has no {ONNX_FILE}; check the folder"
        raise CheckpointError(f"{checkpoint.name} has no {WEIGHTS_FILE}; {other}.{weights_hint(checkpoint.folder)}")
    return WEIGHTS_FILE
