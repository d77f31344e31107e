"""Run a network: from `pixel_values` to logits, by ONNX Runtime or torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import CheckpointError, require
from spinealign.inference.checkpoint import ONNX_FILE, WEIGHTS_FILE, Checkpoint, Engine, weights_file


class LogitsEngine(Protocol):
    """What computes logits."""

    name: Engine

    def __call__(self, pixel_values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits of shape (N, classes) for `pixel_values` of shape (N, C, H, W)."""


class OnnxEngine:
    """Runs `model.onnx` on the CPU."""

    name: Engine = "onnx"

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                os.fspath(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises one class for each status code
            raise CheckpointError(f"{path} is damaged or no ONNX model; fetch it again.") from error
        inputs, outputs = (
            [item.name for item in side()] for side in (self._session.get_inputs, self._session.get_outputs)
        )
        if inputs != ["pixel_values"] or "logits" not in outputs:
            raise CheckpointError(
                f"{path} takes {inputs} and gives {outputs}; it must take pixel_values and give logits."
            )
        self._path = path

    def __call__(self, pixel_values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits of shape (N, classes) for `pixel_values` of shape (N, C, H, W)."""
        try:
            (logits,) = self._session.run(["logits"], {"pixel_values": pixel_values})
        except Exception as error:
            raise CheckpointError(f"{self._path} does not take an input of shape {pixel_values.shape[1:]}.") from error
        return np.asarray(logits, np.float32)


class TorchEngine:
    """Runs `model.safetensors` by transformers, on the graphics card if there is one."""

    name: Engine = "torch"

    def __init__(self, folder: Path) -> None:
        require("torch", "transformers", extra="train")
        import torch

        self._torch = torch
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._network = load_network(folder).to(self._device).eval()

    def __call__(self, pixel_values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits of shape (N, classes) for `pixel_values` of shape (N, C, H, W)."""
        with self._torch.inference_mode():
            inputs = self._torch.from_numpy(np.ascontiguousarray(pixel_values)).to(self._device)
            logits = self._network(pixel_values=inputs).logits
        return np.asarray(logits.cpu().numpy(), np.float32)


def load_network(folder: str | os.PathLike[str]) -> Any:
    """Load every tensor of an image classifier, in float32, or fail: transformers fills gaps with random numbers.

    Args:
        folder: A folder of transformers with `model.safetensors`.

    Raises:
        CheckpointError: If a tensor is missing, superfluous or of another shape, or the folder is damaged.
    """
    import torch
    from transformers import AutoModelForImageClassification

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
        raise CheckpointError(f"{folder} holds no image classifier that transformers can load: {error}") from error
    wrong = [str(name) for names in ("missing_keys", "unexpected_keys", "mismatched_keys") for name in report[names]]
    if wrong:
        raise CheckpointError(f"{WEIGHTS_FILE} in {folder} does not fit its configuration: {', '.join(wrong[:5])}.")
    return network


def load_engine(checkpoint: Checkpoint, engine: Engine = "onnx") -> LogitsEngine:
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
        return OnnxEngine(checkpoint.folder / ONNX_FILE)
    return TorchEngine(checkpoint.folder)
