"""Write a checkpoint that spinealign, plain transformers and the Hub understand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import save_file
from transformers import ViTImageProcessorPil

from spinealign.checkpoint.files import CONFIG_FILE, ONNX_FILE
from spinealign.config import NOVELTY_FILE, SETTINGS_FILE, ModelSettings
from spinealign.metrics.novelty import NoveltyStatistics
from spinealign.training.export import export_onnx


def save_network(folder: Path, network: Any, *, settings: ModelSettings, weights_dtype: str = "float32") -> None:
    """Write `config.json`, `model.safetensors`, `preprocessor_config.json`, `spinealign.json` and `model.onnx`.

    Args:
        folder: An empty folder.
        network: An image classifier of transformers in float32; its weights are rounded to `weights_dtype`.
        settings: What travels beside the weights.
        weights_dtype: Number format of the stored weights, `float32` or `bfloat16`.
    """
    dtype = getattr(torch, weights_dtype)
    network.to(dtype).save_pretrained(folder)
    network.to(torch.float32)
    config = folder / CONFIG_FILE
    content = json.loads(config.read_text(encoding="utf-8"))
    content["dtype"] = "float32"  # what the network computes in, whatever the weights are stored in
    config.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    conditioning = settings.conditioning
    ViTImageProcessorPil(
        size={"height": conditioning.image_size, "width": conditioning.image_size},
        image_mean=list(conditioning.image_mean),
        image_std=list(conditioning.image_std),
        resample=conditioning.resample,
    ).save_pretrained(folder)
    (folder / SETTINGS_FILE).write_text(settings.to_json(), encoding="utf-8")
    export_onnx(network, folder / ONNX_FILE, image_size=conditioning.image_size, weights_dtype=weights_dtype)
    for path in folder.iterdir():
        path.chmod(0o644)


def save_settings(folder: Path, settings: ModelSettings, *, statistics: NoveltyStatistics) -> None:
    """Write `spinealign.json` again and `novelty.safetensors`, once the decision is known.

    Args:
        folder: A folder that `save_network` wrote.
        settings: What travels beside the weights.
        statistics: What known images look like to the network.
    """
    (folder / SETTINGS_FILE).write_text(settings.to_json(), encoding="utf-8")
    tensors = {"means": statistics.means, "whitening": statistics.whitening}
    save_file(tensors, folder / NOVELTY_FILE)
    (folder / NOVELTY_FILE).chmod(0o644)
