"""Export of networks to ONNX."""

from __future__ import annotations

import logging
import warnings
from copy import deepcopy
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spinealign.networks.features import logits_and_features

_LARGE = 1024  # smaller tensors keep float32


class _LogitsAndFeatures(nn.Module):
    """A classifier that also returns the features for novelty detection."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return logits_and_features(self.network, pixel_values)


def export_onnx(network: Any, path: Path, *, image_size: int, weights_dtype: str = "float32") -> None:
    """Write a network as one ONNX file with a dynamic batch.

    Its input is `pixel_values` (N, C, S, S), its outputs are `logits` (N, classes) and `features` (N, F) of
    `spinealign.networks.features`. It computes in float32, however the weights are stored.

    Args:
        network: An image classifier of transformers, in float32.
        path: The file to write.
        image_size: Height and width of the input in pixels.
        weights_dtype: `float32`, or `bfloat16` for half the size; the weights must already be rounded to it.
    """
    batch = 2  # a batch of one would freeze the dimension
    sample = torch.zeros(batch, network.config.num_channels, image_size, image_size)
    wrapped = _LogitsAndFeatures(deepcopy(network).cpu().eval())
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
    model = program.model_proto
    _drop_metadata(model)
    if weights_dtype == "bfloat16":
        _store_bfloat16(model)
    path.write_bytes(model.SerializeToString())


def _drop_metadata(model: Any) -> None:
    """Remove the stack traces of the exporter, which contain paths of the machine."""
    del model.metadata_props[:]
    for graph in (model.graph, *model.functions):
        del graph.metadata_props[:]
        graph.doc_string = ""
        for node in graph.node:
            del node.metadata_props[:]
            node.doc_string = ""
        for value in graph.value_info:
            del value.metadata_props[:]


def _store_bfloat16(model: Any) -> None:
    """Store large tensors in bfloat16 if that is exact; ONNX Runtime folds the casts when it loads the file."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or prod(tensor.dims) < _LARGE:
            continue
        name, exact = tensor.name, torch.from_numpy(numpy_helper.to_array(tensor).copy())
        stored = exact.bfloat16()
        if not torch.equal(stored.float(), exact):
            continue  # computed by the exporter, for example a batch norm folded into a convolution
        tensor.CopyFrom(
            helper.make_tensor(
                f"{name}.bfloat16",
                TensorProto.BFLOAT16,
                list(tensor.dims),
                stored.view(torch.uint16).numpy().tobytes(),
                raw=True,
            )
        )
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
