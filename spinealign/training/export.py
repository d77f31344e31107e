"""Export of networks to ONNX."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from onnxscript import ir
from torch import nn
from torch.func import functional_call

from spinealign.alignment.sagittal.preparing import STRIDE
from spinealign.imaging.frames import CROP_SHAPE, NEIGHBOR_FEATURES
from spinealign.networks.features import logits_and_features


class _LogitsAndFeatures(nn.Module):
    """A classifier that also returns the features for novelty detection, and computes in float32."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        weights = {name: parameter.float() for name, parameter in self.network.named_parameters()}
        return logits_and_features(lambda **inputs: functional_call(self.network, weights, kwargs=inputs), pixel_values)


def export_onnx(network: Any, path: Path, *, image_size: int, weights_dtype: str = "float32") -> None:
    """Write an image classifier of transformers, in float32, as one ONNX file with a dynamic batch.

    Its input is `pixel_values` (N, C, S, S), its outputs are `logits` (N, classes) and `features` (N, F) of
    `spinealign.networks.features`. It computes in float32, however the weights are stored (`float32`, or `bfloat16` for
    half the size): ONNX Runtime converts them when it loads the file.
    """
    batch = 2  # a batch of one would freeze the dimension
    sample = torch.zeros(batch, network.config.num_channels, image_size, image_size)
    wrapped = _LogitsAndFeatures(deepcopy(network).cpu()).eval()
    for parameter in wrapped.parameters():
        parameter.data = parameter.data.to(getattr(torch, weights_dtype))
    _export(
        wrapped,
        {"pixel_values": sample},
        path,
        outputs=("logits", "features"),
    )


def export_vertebra_network(
    network: Any, locators: Path, *, refiner: Path, shapes: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    """Write the locators and the refiner of a `VertebraNetwork` as two ONNX files with dynamic batches.

    The inputs of the locators are `pixel_values` (N, 1, H, W) and `coarse_values` (M, 1, h, w) of these shapes, their
    outputs are `maps` and `scout_maps`. The inputs of the refiner are `crops` (N, 1, 80, 96) and `neighbors` (N, 8),
    its output is `corners` (N, 4, 2).
    """
    network = deepcopy(network).to("cpu", memory_format=torch.contiguous_format).eval()
    names = ("pixel_values", "coarse_values")
    images = {name: torch.zeros(size, 1, *shape) for size, name, shape in zip((2, 3), names, shapes)}
    _export(_Locators(network), images, locators, outputs=("maps", "scout_maps"))
    _export_refiner(network, refiner)


def export_sagittal_network(network: Any, segmenter: Path, *, refiner: Path) -> None:
    """Write the segmenter and the refiner of a `SagittalNetwork` as two ONNX files with dynamic batches.

    The input of the segmenter is `pixel_values` (N, 1, H, W), whose height and width are multiples of 32, its output is
    `maps` (N, 5, H, W). Those of the refiner are as for `export_vertebra_network`.
    """
    network = deepcopy(network).to("cpu", memory_format=torch.contiguous_format).eval()
    image = {"pixel_values": torch.zeros(2, 1, 3 * STRIDE, 4 * STRIDE)}
    sides = {place: STRIDE * torch.export.Dim(name, min=1, max=64) for place, name in ((2, "rows"), (3, "columns"))}
    _export(network.segmenter, image, segmenter, outputs=("maps",), sides=sides)
    _export_refiner(network, refiner)


def _export_refiner(network: Any, path: Path) -> None:
    crops = {"crops": torch.zeros(2, 1, *CROP_SHAPE), "neighbors": torch.zeros(2, NEIGHBOR_FEATURES)}
    _export(_Corners(network), crops, path, outputs=("corners",))


def export_image_kind(network: Any, path: Path, *, side: int) -> None:
    """Write an `ImageKindNetwork` as one ONNX file with a dynamic batch.

    Its input is `pixel_values` (N, 1, side, side), its outputs are `kinds` and `turns`: logits (N, 4) and (N, 8).
    """
    sample = {"pixel_values": torch.zeros(2, 1, side, side)}
    _export(_KindLogits(deepcopy(network).cpu().eval()), sample, path, outputs=("kinds", "turns"))


class _KindLogits(nn.Module):
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        output = self.network(pixel_values)
        return output.kind_logits, output.turn_logits


class _Locators(nn.Module):
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.locator, self.scout = network.locator, network.scout

    def forward(self, pixel_values: torch.Tensor, coarse_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.locator(pixel_values), self.scout(coarse_values)


class _Corners(nn.Module):
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.refiner = network.refiner

    def forward(self, crops: torch.Tensor, neighbors: torch.Tensor) -> torch.Tensor:
        corners: torch.Tensor = self.refiner(crops, neighbors)[0]
        return corners


def _export(
    module: nn.Module,
    inputs: dict[str, torch.Tensor],
    path: Path,
    *,
    outputs: tuple[str, ...],
    sides: Mapping[int, Any] | None = None,
) -> None:
    """Write a module as one ONNX file; the first dimensions of inputs are batches, equal ones if their sizes are.

    `sides` are further dynamic dimensions of all inputs.
    """
    sizes = {len(value) for value in inputs.values()}
    batches = {size: torch.export.Dim(f"batch_{size}", min=1) for size in sizes}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes={name: {0: batches[len(value)], **(sides or {})} for name, value in inputs.items()},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None  # noqa: S101 - only without dynamo
    ir.passes.common.ClearMetadataAndDocStringPass()(program.model)  # stack traces name paths of the machine
    program.save(path, external_data=False)
