"""Engines that outline vertebrae in sagittal MR and refine their corners: ONNX Runtime and torch."""

from __future__ import annotations

from typing import Any

from spinealign.checkpoint.checkpoint import Checkpoint, Engine
from spinealign.checkpoint.paired_engines import Array, OnnxPair, TorchPair, load_pair


class OnnxSagittalEngine(OnnxPair):
    """Engine that runs segmenter and refiner in ONNX Runtime."""

    def segment(self, pixel_values: Array) -> Array:
        """Return the logits (N, 5, H, W) of structures for inputs of shape (N, 1, H, W)."""
        return self._run(self._model, ["maps"], pixel_values=pixel_values)[0]


class TorchSagittalEngine(TorchPair):
    """Engine that runs a `SagittalNetwork` in torch."""

    def segment(self, pixel_values: Array) -> Array:
        """Return the logits (N, 5, H, W) of structures for inputs of shape (N, 1, H, W)."""
        return self._run(["maps"], pixel_values=pixel_values)[0]


def load_sagittal_engine(
    checkpoint: Checkpoint, engine: Engine = "onnx", *, device: str | None = None
) -> OnnxSagittalEngine | TorchSagittalEngine:
    """Load the weights of a checkpoint; see `spinealign.checkpoint.engines.load_engine`."""
    return load_pair(
        checkpoint, engine, device=device, onnx=OnnxSagittalEngine, torch=TorchSagittalEngine, build=_build
    )


def _build(folder: str) -> Any:
    from spinealign.networks.sagittal import SagittalConfig, SagittalNetwork

    return SagittalNetwork(SagittalConfig.from_pretrained(folder, local_files_only=True))
