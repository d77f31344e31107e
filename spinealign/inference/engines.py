"""Run a network: from `pixel_values` to logits, by ONNX Runtime or torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import CheckpointError, require
from spinealign.inference.checkpoint import ONNX_FILE, WEIGHTS_FILE, Checkpoint, Engine


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

    def __call__(self, pixel_values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits of shape (N, classes) for `pixel_values` of shape (N, C, H, W)."""
        (logits,) = self._session.run(["logits"], {"pixel_values": pixel_values})
        return np.asarray(logits, np.float32)


class TorchEngine:
    """Runs `model.safetensors` by transformers, on the graphics card if there is one."""

    name: Engine = "torch"

    def __init__(self, folder: Path) -> None:
        require("torch", "transformers", extra="train")
        import torch
        from transformers import AutoModelForImageClassification

        self._torch = torch
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            network = AutoModelForImageClassification.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
            )
        except Exception as error:  # transformers raises whatever the file makes it stumble over
            raise CheckpointError(f"{folder} holds no image classifier that transformers can load: {error}") from error
        self._network = network.to(self._device).eval()

    def __call__(self, pixel_values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits of shape (N, classes) for `pixel_values` of shape (N, C, H, W)."""
        with self._torch.inference_mode():
            inputs = self._torch.from_numpy(np.ascontiguousarray(pixel_values)).to(self._device)
            logits = self._network(pixel_values=inputs).logits
        return np.asarray(logits.cpu().numpy(), np.float32)


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
    onnx = checkpoint.path(ONNX_FILE)
    if engine == "onnx" and onnx is not None:
        return OnnxEngine(onnx)
    if checkpoint.path(WEIGHTS_FILE) is None:
        raise CheckpointError(f"{checkpoint.model} has no {WEIGHTS_FILE}; use engine='onnx'.")
    return TorchEngine(checkpoint.folder)
