"""Engines that compute logits and features from `pixel_values`: ONNX Runtime and torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinealign.checkpoint.checkpoint import Checkpoint, Engine, weights_file
from spinealign.checkpoint.files import ONNX_FILE, WEIGHTS_FILE, file_path
from spinealign.errors import CheckpointError, require

_PROVIDER = "ExecutionProvider"  # suffix of the name of each provider
_CPU = f"CPU{_PROVIDER}"


class Output(NamedTuple):
    """Network output for N images.

    Attributes:
        logits: float32 of shape (N, classes).
        features: float32 of shape (N, F), from which novelty is measured; None if the ONNX file has no such output.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float32] | None


class OnnxEngine:
    """Engine that runs `model.onnx` in ONNX Runtime; see `load_engine`."""

    name: Engine = "onnx"

    def __init__(self, checkpoint: Checkpoint, *, device: str | None = None) -> None:
        self.device = device  # as requested; None for the default
        self._file = f"{ONNX_FILE} of {checkpoint.name}"
        self._session = open_session(checkpoint, ONNX_FILE, device=device)
        inputs = [item.name for item in self._session.get_inputs()]
        outputs = [item.name for item in self._session.get_outputs()]
        if inputs != ["pixel_values"] or "logits" not in outputs:
            raise CheckpointError(
                f"{self._file} has inputs {inputs} and outputs {outputs}; expected pixel_values and logits."
            )
        self._outputs = ["logits", "features"] if "features" in outputs else ["logits"]

    def __call__(self, pixel_values: NDArray[np.float32]) -> Output:
        """Return logits and features for `pixel_values` of shape (N, C, H, W)."""
        try:
            logits, *features = self._session.run(self._outputs, {"pixel_values": pixel_values})
        except Exception as error:
            raise CheckpointError(f"{self._file} does not take an input of shape {pixel_values.shape[1:]}.") from error
        return Output(np.asarray(logits, np.float32), np.asarray(features[0], np.float32) if features else None)


def open_session(checkpoint: Checkpoint, name: str, *, device: str | None = None) -> Any:
    """Open an ONNX file of a checkpoint in ONNX Runtime.

    Raises:
        CheckpointError: If the file is missing or damaged.
        ValueError: If the device is not available.
    """
    # From 1.32 on, ONNX Runtime stores usage data in the home folder and sends them to Microsoft.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    provider, provider_options = execution_provider(device, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    file = f"{name} of {checkpoint.name}"
    try:
        session = onnxruntime.InferenceSession(
            checkpoint.folder / name,
            options,
            providers=[(provider, provider_options), *([] if provider == _CPU else [_CPU])],
            enable_fallback=0,
        )
        started = provider in session.get_providers()
    except Exception as error:  # ONNX Runtime raises one class for each status code
        if provider != _CPU:
            raise ValueError(f"ONNX Runtime cannot run {file} on device {device!r}: {error}") from error
        raise CheckpointError(f"{file} is damaged or not an ONNX model; {checkpoint.remedy}.") from error
    if not started:  # ONNX Runtime only logs that it uses the CPU instead
        raise ValueError(f"ONNX Runtime cannot start device {device!r}; check its driver and libraries.")
    return session


def execution_provider(device: str | None, available: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the name and the options of the execution provider, one of `available`, that a device names.

    Raises:
        ValueError: If the provider is not installed.
    """
    name, colon, number = ("cpu" if device is None else device).lower().partition(":")
    installed = {item.removesuffix(_PROVIDER).lower(): item for item in available if not item.startswith("Azure")}
    provider = installed.get("dml" if name == "directml" else name)
    if provider is None or (colon and not number.isdecimal()):
        raise ValueError(f"ONNX Runtime has no device {device!r}; installed: {', '.join(installed)}.")
    return provider, {"device_id": number} if number and provider != _CPU else {}


class TorchEngine:
    """Engine that runs `model.safetensors` through transformers; see `load_engine`."""

    name: Engine = "torch"

    def __init__(self, checkpoint: Checkpoint, *, device: str | None = None) -> None:
        require("torch", "transformers", extra="train")
        import torch

        from spinealign.networks.features import logits_and_features

        self.device = device
        self._torch, self._run = torch, logits_and_features
        self._place = ("cuda" if torch.cuda.is_available() else "cpu") if device is None else device
        try:
            torch.empty(0, device=self._place)
        except Exception as error:  # each backend raises another class
            reason = str(error).strip().split("\n", maxsplit=1)[0].removesuffix(".")
            raise ValueError(f"torch has no device {device!r}: {reason}.") from error
        try:
            self._network = load_network(checkpoint.folder, name=checkpoint.name).to(self._place).eval()
        except CheckpointError as error:
            raise CheckpointError(f"{error} If a file is damaged, {checkpoint.remedy}.") from error

    def __call__(self, pixel_values: NDArray[np.float32]) -> Output:
        """Return logits and features for `pixel_values` of shape (N, C, H, W)."""
        with self._torch.inference_mode():
            inputs = self._torch.from_numpy(np.ascontiguousarray(pixel_values)).to(self._place)
            logits, features = self._run(self._network, inputs)
        return Output(*(np.asarray(values.cpu().numpy(), np.float32) for values in (logits, features)))


NetworkEngine: TypeAlias = OnnxEngine | TorchEngine


def load_network(folder: str | os.PathLike[str], *, name: str | None = None) -> Any:
    """Load an image classifier in float32, and require every tensor: transformers fills gaps with random numbers.

    `name` is the name of the model in messages; None for its path.

    Raises:
        CheckpointError: If a tensor is missing, superfluous or of another shape, or the folder is damaged.
    """
    import torch
    from transformers import AutoConfig, AutoModelForImageClassification

    import spinealign.networks  # noqa: F401 - registers the classes that transformers does not have

    folder = os.fspath(folder)
    name = name or folder
    try:
        network, report = AutoModelForImageClassification.from_pretrained(
            file_path(Path(folder), WEIGHTS_FILE).parent,
            config=AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False),
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:  # damaged files make transformers raise almost any class
        reason = str(error).replace(folder, name).removesuffix(".")
        raise CheckpointError(f"transformers cannot load {name} as an image classifier: {reason}.") from error
    wrong = [str(key) for keys in ("missing_keys", "unexpected_keys", "mismatched_keys") for key in report[keys]]
    if wrong:
        raise CheckpointError(f"{WEIGHTS_FILE} of {name} does not fit its configuration: {', '.join(wrong[:5])}.")
    return network


def load_engine(checkpoint: Checkpoint, engine: Engine = "onnx", *, device: str | None = None) -> NetworkEngine:
    """Load the weights of a checkpoint for `onnx` or `torch`; a checkpoint without ONNX runs through torch.

    The device of ONNX Runtime is an execution provider with an optional device number, such as `cpu`, `cuda:1`,
    `tensorrt`, `openvino`, `coreml` or `directml`; None for `cpu`. That of torch is a device of torch; None for `cuda`
    if available, otherwise `cpu`.

    Raises:
        CheckpointError: If the weights are missing or damaged.
        MissingDependencyError: If torch is needed and not installed.
        ValueError: If the engine is unknown or the device is not available.
    """
    if engine not in ("onnx", "torch"):
        raise ValueError(f"engine must be 'onnx' or 'torch', not {engine!r}.")
    kind = OnnxEngine if weights_file(checkpoint, engine) == ONNX_FILE else TorchEngine
    loaded = kind(checkpoint, device=device)
    checkpoint.check_unchanged()
    return loaded
