"""What engines of two networks share, one on whole images and one on crops: ONNX Runtime and torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spinealign.checkpoint.checkpoint import Checkpoint, Engine, weights_file
from spinealign.checkpoint.engines import open_session
from spinealign.checkpoint.files import ONNX_FILE, REFINER_FILE, WEIGHTS_FILE, file_path
from spinealign.errors import CheckpointError, require

Array = NDArray[np.float32]
_Onnx = TypeVar("_Onnx", bound="OnnxPair")
_Torch = TypeVar("_Torch", bound="TorchPair")


class OnnxPair:
    """Engine that runs `model.onnx` and `refiner.onnx` in ONNX Runtime."""

    name: Engine = "onnx"

    def __init__(self, checkpoint: Checkpoint, *, device: str | None = None) -> None:
        self.device = device
        self._name, self._remedy = checkpoint.name, checkpoint.remedy
        self._model = open_session(checkpoint, ONNX_FILE, device=device)
        self._refiner = open_session(checkpoint, REFINER_FILE, device=device)

    def refine(self, crops: Array, neighbors: Array) -> Array:
        """Return corners (M, 4, 2) in the unit of the crops, of shape (M, 1, 80, 96)."""
        return self._run(self._refiner, ["corners"], crops=crops, neighbors=neighbors)[0]

    def _run(self, session: Any, outputs: list[str], **inputs: Array) -> list[Array]:
        try:
            return list(session.run(outputs, inputs))
        except Exception as error:  # ONNX Runtime raises one class for each status code
            raise CheckpointError(f"The ONNX files of {self._name} do not fit each other; {self._remedy}.") from error


class TorchPair:
    """Engine that runs a network of transformers with both parts in torch."""

    name: Engine = "torch"

    def __init__(self, network: Any, *, device: str | None = None) -> None:
        import torch

        self.device = device
        self._torch, self._place = torch, device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.to(self._place).eval()

    def refine(self, crops: Array, neighbors: Array) -> Array:
        """Return corners (M, 4, 2) in the unit of the crops, of shape (M, 1, 80, 96)."""
        return self._run(["corners"], crops=crops, neighbors=neighbors)[0]

    def _run(self, outputs: list[str], **inputs: Array) -> list[Array]:
        with self._torch.inference_mode():
            tensors = {
                name: self._torch.from_numpy(np.ascontiguousarray(array)).to(self._place)
                for name, array in inputs.items()
            }
            result = self._network(**tensors)
            return [result[name].cpu().numpy() for name in outputs]


def load_pair(
    checkpoint: Checkpoint,
    engine: Engine,
    *,
    device: str | None,
    onnx: type[_Onnx],
    torch: type[_Torch],
    build: Callable[[str], Any],
) -> _Onnx | _Torch:
    """Load the weights of a checkpoint; see `spinealign.checkpoint.engines.load_engine`.

    Args:
        checkpoint: The checkpoint.
        engine: `onnx` or `torch`.
        device: Device, or None for the default.
        onnx: Class of the engine in ONNX Runtime.
        torch: Class of the engine in torch.
        build: Function that returns an untrained network for a folder with its `config.json`.
    """
    if engine not in ("onnx", "torch"):
        raise ValueError(f"engine must be 'onnx' or 'torch', not {engine!r}.")
    loaded: _Onnx | _Torch
    if weights_file(checkpoint, engine) == ONNX_FILE:
        loaded = onnx(checkpoint, device=device)
    else:
        require("torch", "transformers", extra="train")
        loaded = torch(_load_network(checkpoint, build), device=device)
    checkpoint.check_unchanged()
    return loaded


def _load_network(checkpoint: Checkpoint, build: Callable[[str], Any]) -> Any:
    from safetensors.torch import load_model

    try:
        network = build(str(checkpoint.folder))
        load_model(network, file_path(checkpoint.folder, WEIGHTS_FILE))
    except Exception as error:  # transformers, torch and safetensors raise almost any class
        raise CheckpointError(
            f"{WEIGHTS_FILE} of {checkpoint.name} is damaged or does not fit its configuration; {checkpoint.remedy}."
        ) from error
    return network
