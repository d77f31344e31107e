"""Export of networks to ONNX."""

from __future__ import annotations

import logging
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from onnxscript import ir
from torch import nn
from torch.func import functional_call

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
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            wrapped,
            (sample,),
            input_names=["pixel_values"],
            output_names=["logits", "features"],
            dynamic_shapes={"pixel_values": {0: torch.export.Dim("batch", min=1)}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None  # noqa: S101 - only without dynamo
    ir.passes.common.ClearMetadataAndDocStringPass()(program.model)  # stack traces name paths of the machine
    program.save(path, external_data=False)
