"""Engines that locate and refine vertebrae: ONNX Runtime and torch."""

from __future__ import annotations

from typing import Any

from spinealign.checkpoint.checkpoint import Checkpoint, Engine
from spinealign.checkpoint.paired_engines import Array, OnnxPair, TorchPair, load_pair


class OnnxVertebraEngine(OnnxPair):
    """Engine that runs locators and refiner in ONNX Runtime."""

    def locate(self, pixel_values: Array, coarse_values: Array) -> tuple[Array, Array]:
        """Return the maps of locator and scout for their inputs of shape (N, 1, H, W)."""
        inputs = {"pixel_values": pixel_values, "coarse_values": coarse_values}
        maps, scout_maps = self._run(self._model, ["maps", "scout_maps"], **inputs)
        return maps, scout_maps


class TorchVertebraEngine(TorchPair):
    """Engine that runs a `VertebraNetwork` in torch."""

    def locate(self, pixel_values: Array, coarse_values: Array) -> tuple[Array, Array]:
        """Return the maps of locator and scout for their inputs of shape (N, 1, H, W)."""
        maps, scout_maps = self._run(["maps", "scout_maps"], pixel_values=pixel_values, coarse_values=coarse_values)
        return maps, scout_maps


def load_vertebra_engine(
    checkpoint: Checkpoint, engine: Engine = "onnx", *, device: str | None = None
) -> OnnxVertebraEngine | TorchVertebraEngine:
    """Load the weights of a checkpoint; see `spinealign.checkpoint.engines.load_engine`."""
    return load_pair(
        checkpoint, engine, device=device, onnx=OnnxVertebraEngine, torch=TorchVertebraEngine, build=_build
    )


def _build(folder: str) -> Any:
    from spinealign.networks.vertebrae import VertebraConfig, VertebraNetwork

    return VertebraNetwork(VertebraConfig.from_pretrained(folder, local_files_only=True))
