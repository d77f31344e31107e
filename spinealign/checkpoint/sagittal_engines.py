"""Engines that outline vertebrae in sagittal MR and refine their corners: ONNX Runtime and torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.checkpoint.checkpoint import Checkpoint, Engine, weights_file
from spinealign.checkpoint.engines import open_session
from spinealign.checkpoint.files import ONNX_FILE, REFINER_FILE, WEIGHTS_FILE, file_path
from spinealign.errors import CheckpointError, require

Array = NDArray[np.float32]


class OnnxSagittalEngine:
    """Engine that runs `model.onnx` and `refiner.onnx` in ONNX Runtime."""

    name: Engine = "onnx"

    def __init__(self, checkpoint: Checkpoint, *, device: str | None = None) -> None:
        self.device = device
        self._name, self._remedy = checkpoint.name, checkpoint.remedy
        self._segmenter = open_session(checkpoint, ONNX_FILE, device=device)
        self._refiner = open_session(checkpoint, REFINER_FILE, device=device)

    def segment(self, pixel_values: Array) -> Array:
        """Return the logits (N, 5, H, W) of structures for inputs of shape (N, 1, H, W)."""
        return self._run(self._segmenter, "maps", pixel_values=pixel_values)

    def refine(self, crops: Array, neighbors: Array) -> Array:
        """Return corners (M, 4, 2) in the unit of the crops, of shape (M, 1, 80, 96)."""
        return self._run(self._refiner, "corners", crops=crops, neighbors=neighbors)

    def _run(self, session: Any, output: str, **inputs: Array) -> Array:
        try:
            result: Array = session.run([output], inputs)[0]
        except Exception as error:  # ONNX Runtime raises one class for each status code
            raise CheckpointError(f"The ONNX files of {self._name} do not fit each other; {self._remedy}.") from error
        return result


class TorchSagittalEngine:
    """Engine that runs a `SagittalNetwork` in torch."""

    name: Engine = "torch"

    def __init__(self, network: Any, *, device: str | None = None) -> None:
        import torch

        self.device = device
        self._torch, self._place = torch, device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.to(self._place).eval()

    def segment(self, pixel_values: Array) -> Array:
        """Return the logits (N, 5, H, W) of structures for inputs of shape (N, 1, H, W)."""
        return self._run("maps", pixel_values=pixel_values)

    def refine(self, crops: Array, neighbors: Array) -> Array:
        """Return corners (M, 4, 2) in the unit of the crops, of shape (M, 1, 80, 96)."""
        return self._run("corners", crops=crops, neighbors=neighbors)

    def _run(self, output: str, **inputs: Array) -> Array:
        with self._torch.inference_mode():
            tensors = {
                name: self._torch.from_numpy(np.ascontiguousarray(array)).to(self._place)
                for name, array in inputs.items()
            }
            result: Array = self._network(**tensors)[output].cpu().numpy()
        return result


def load_sagittal_engine(
    checkpoint: Checkpoint, engine: Engine = "onnx", *, device: str | None = None
) -> OnnxSagittalEngine | TorchSagittalEngine:
    """Load the weights of a checkpoint; see `spinealign.checkpoint.engines.load_engine`."""
    if engine not in ("onnx", "torch"):
        raise ValueError(f"engine must be 'onnx' or 'torch', not {engine!r}.")
    loaded: OnnxSagittalEngine | TorchSagittalEngine
    if weights_file(checkpoint, engine) == ONNX_FILE:
        loaded = OnnxSagittalEngine(checkpoint, device=device)
    else:
        require("torch", "transformers", extra="train")
        loaded = TorchSagittalEngine(_load_network(checkpoint), device=device)
    checkpoint.check_unchanged()
    return loaded


def _load_network(checkpoint: Checkpoint) -> Any:
    from safetensors.torch import load_model

    from spinealign.networks.sagittal import SagittalConfig, SagittalNetwork

    try:
        network = SagittalNetwork(SagittalConfig.from_pretrained(checkpoint.folder, local_files_only=True))
        load_model(network, file_path(checkpoint.folder, WEIGHTS_FILE))
    except Exception as error:  # transformers, torch and safetensors raise almost any class
        raise CheckpointError(
            f"{WEIGHTS_FILE} of {checkpoint.name} is damaged or does not fit its configuration; {checkpoint.remedy}."
        ) from error
    return network
