"""Engines that locate and refine vertebrae: ONNX Runtime and torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.checkpoint.checkpoint import Checkpoint, Engine, weights_file
from spinealign.checkpoint.engines import open_session
from spinealign.checkpoint.files import ONNX_FILE, REFINER_FILE, WEIGHTS_FILE, file_path
from spinealign.errors import CheckpointError, require

Array = NDArray[np.float32]


class OnnxVertebraEngine:
    """Engine that runs `model.onnx` and `refiner.onnx` in ONNX Runtime."""

    name: Engine = "onnx"

    def __init__(self, checkpoint: Checkpoint, *, device: str | None = None) -> None:
        self.device = device
        self._name, self._remedy = checkpoint.name, checkpoint.remedy
        self._locators = open_session(checkpoint, ONNX_FILE, device=device)
        self._refiner = open_session(checkpoint, REFINER_FILE, device=device)

    def locate(self, pixel_values: Array, coarse_values: Array) -> tuple[Array, Array]:
        """Return the maps of locator and scout for their inputs of shape (N, 1, H, W)."""
        inputs = {"pixel_values": pixel_values, "coarse_values": coarse_values}
        maps, scout_maps = self._run(self._locators, ["maps", "scout_maps"], **inputs)
        return maps, scout_maps

    def refine(self, crops: Array, neighbors: Array) -> Array:
        """Return corners (M, 4, 2) in the unit of the crops, of shape (M, 1, 80, 96)."""
        return self._run(self._refiner, ["corners"], crops=crops, neighbors=neighbors)[0]

    def _run(self, session: Any, outputs: list[str], **inputs: Array) -> list[Array]:
        try:
            return list(session.run(outputs, inputs))
        except Exception as error:  # ONNX Runtime raises one class for each status code
            raise CheckpointError(f"The ONNX files of {self._name} do not fit each other; {self._remedy}.") from error


class TorchVertebraEngine:
    """Engine that runs a `VertebraNetwork` in torch."""

    name: Engine = "torch"

    def __init__(self, network: Any, *, device: str | None = None) -> None:
        import torch

        self.device = device
        self._torch, self._place = torch, device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.to(self._place).eval()

    def locate(self, pixel_values: Array, coarse_values: Array) -> tuple[Array, Array]:
        """Return the maps of locator and scout for their inputs of shape (N, 1, H, W)."""
        output = self._run(pixel_values=pixel_values, coarse_values=coarse_values)
        return output.maps.cpu().numpy(), output.scout_maps.cpu().numpy()

    def refine(self, crops: Array, neighbors: Array) -> Array:
        """Return corners (M, 4, 2) in the unit of the crops, of shape (M, 1, 80, 96)."""
        corners: Array = self._run(crops=crops, neighbors=neighbors).corners.cpu().numpy()
        return corners

    def _run(self, **inputs: Array) -> Any:
        with self._torch.inference_mode():
            tensors = {
                name: self._torch.from_numpy(np.ascontiguousarray(array)).to(self._place)
                for name, array in inputs.items()
            }
            return self._network(**tensors)


def load_vertebra_engine(
    checkpoint: Checkpoint, engine: Engine = "onnx", *, device: str | None = None
) -> OnnxVertebraEngine | TorchVertebraEngine:
    """Load the weights of a checkpoint; see `spinealign.checkpoint.engines.load_engine`."""
    if engine not in ("onnx", "torch"):
        raise ValueError(f"engine must be 'onnx' or 'torch', not {engine!r}.")
    loaded: OnnxVertebraEngine | TorchVertebraEngine
    if weights_file(checkpoint, engine) == ONNX_FILE:
        loaded = OnnxVertebraEngine(checkpoint, device=device)
    else:
        require("torch", "transformers", extra="train")
        loaded = TorchVertebraEngine(_load_network(checkpoint), device=device)
    checkpoint.check_unchanged()
    return loaded


def _load_network(checkpoint: Checkpoint) -> Any:
    from safetensors.torch import load_model

    from spinealign.networks.vertebrae import VertebraConfig, VertebraNetwork

    try:
        network = VertebraNetwork(VertebraConfig.from_pretrained(checkpoint.folder, local_files_only=True))
        load_model(network, file_path(checkpoint.folder, WEIGHTS_FILE))
    except Exception as error:  # transformers, torch and safetensors raise almost any class
        raise CheckpointError(
            f"{WEIGHTS_FILE} of {checkpoint.name} is damaged or does not fit its configuration; {checkpoint.remedy}."
        ) from error
    return network
