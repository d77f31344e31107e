"""Run a network: from `pixel_values` to logits and features, by ONNX Runtime or torch."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spinealign.checkpoint.files import ONNX_FILE, WEIGHTS_FILE
from spinealign.checkpoint.finding import Checkpoint, Engine, weights_file
from spinealign.errors import CheckpointError, require


class Output(NamedTuple):
    """What a network computes for N images.

    Attributes:
        logits: float32 of shape (N, classes).
        features: float32 of shape (N, F), on which novelty is judged; None where the weights give none.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float32] | None


class NetworkEngine(Protocol):
    """What runs a network."""

    name: Engine

    def __call__(self, pixel_values: NDArray[np.float32]) -> Output:
        """Return logits and features for `pixel_values` of shape (N, C, H, W)."""


class OnnxEngine:
    """Runs `model.onnx` on the CPU."""

    name: Engine = "onnx"

    def __init__(self, checkpoint: Checkpoint) -> None:
        # From 1.32 on, the runtime records how it is used below the home folder and sends it to its maker.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._file = f"{ONNX_FILE} of {checkpoint.name}"
        try:
            self._session = onnxruntime.InferenceSession(
                os.fspath(checkpoint.folder / ONNX_FILE), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises one class for each status code
            raise CheckpointError(f"{self._file} is damaged or no ONNX model; {checkpoint.remedy}.") from error
        inputs, outputs = (
            [item.name for item in side()] for side in (self._session.get_inputs, self._session.get_outputs)
        )
        if inputs != ["pixel_values"] or "logits" not in outputs:
            raise CheckpointError(
                f"{self._file} takes {inputs} and gives {outputs}; it must take pixel_values and give logits."
            )
        self._outputs = ["logits", "features"] if "features" in outputs else ["logits"]

    def __call__(self, pixel_values: NDArray[np.float32]) -> Output:
        """Return logits and features for `pixel_values` of shape (N, C, H, W)."""
        try:
            logits, *features = self._session.run(self._outputs, {"pixel_values": pixel_values})
        except Exception as error:
            raise CheckpointError(f"{self._file} does not take an input of shape {pixel_values.shape[1:]}.") from error
        return Output(np.asarray(logits, np.float32), np.asarray(features[0], np.float32) if features else None)


class TorchEngine:
    """Runs `model.safetensors` by transformers, on the graphics card if there is one."""

    name: Engine = "torch"

    def __init__(self, checkpoint: Checkpoint) -> None:
        require("torch", "transformers", extra="train")
        import torch

        from spinealign.networks.features import logits_and_features

        self._torch, self._run = torch, logits_and_features
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            network = load_network(checkpoint.folder, name=checkpoint.name)
        except CheckpointError as error:
            told = str(error).removesuffix(".")
            raise CheckpointError(f"{told}. If one of its files is damaged, {checkpoint.remedy}.") from error
        self._network = network.to(self._device).eval()

    def __call__(self, pixel_values: NDArray[np.float32]) -> Output:
        """Return logits and features for `pixel_values` of shape (N, C, H, W)."""
        with self._torch.inference_mode():
            inputs = self._torch.from_numpy(np.ascontiguousarray(pixel_values)).to(self._device)
            logits, features = self._run(self._network, inputs)
        return Output(*(np.asarray(values.cpu().numpy(), np.float32) for values in (logits, features)))


def load_network(folder: str | os.PathLike[str], *, name: str | None = None) -> Any:
    """Load every tensor of an image classifier, in float32, or fail: transformers fills gaps with random numbers.

    Args:
        folder: A folder of transformers with `model.safetensors`.
        name: What it is called in messages; None calls it by its path.

    Raises:
        CheckpointError: If a tensor is missing, superfluous or of another shape, or the folder is damaged.
    """
    import torch
    from transformers import AutoModelForImageClassification

    import spinealign.networks  # noqa: F401 - makes the classes known that transformers does not have

    folder = os.fspath(folder)
    name = name or folder
    try:
        network, report = AutoModelForImageClassification.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:  # transformers raises whatever the file makes it stumble over
        told = str(error).replace(folder, name)
        raise CheckpointError(f"{name} holds no image classifier that transformers can load: {told}") from error
    wrong = [str(key) for keys in ("missing_keys", "unexpected_keys", "mismatched_keys") for key in report[keys]]
    if wrong:
        raise CheckpointError(f"{WEIGHTS_FILE} of {name} does not fit its configuration: {', '.join(wrong[:5])}.")
    return network


def load_engine(checkpoint: Checkpoint, engine: Engine = "onnx") -> NetworkEngine:
    """Load the weights of a checkpoint.

    Args:
        checkpoint: The checkpoint.
        engine: `onnx`, or `torch`; a checkpoint without ONNX runs through torch.

    Raises:
        CheckpointError: If the weights are damaged or not there.
        MissingDependencyError: If torch is needed and not installed.
        ValueError: If there is no engine of this name.
    """
    if engine not in ("onnx", "torch"):
        raise ValueError(f"engine must be 'onnx' or 'torch', not {engine!r}.")
    if weights_file(checkpoint, engine) == ONNX_FILE:
        return OnnxEngine(checkpoint)
    return TorchEngine(checkpoint)
