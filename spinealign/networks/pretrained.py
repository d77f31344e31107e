"""ImageNet weights of timm for the networks of this package."""

from __future__ import annotations

import json
import os
from pathlib import Path

from huggingface_hub import hf_hub_download
from safetensors.torch import load_file

from spinealign.errors import CheckpointError
from spinealign.networks.catalog import BACKBONES, Backbone
from spinealign.networks.classifier import Classifier

_CONFIG, _WEIGHTS = "config.json", "model.safetensors"
_PREFIX = "features."


def find_backbone(name_or_path: str) -> Backbone | None:
    """Return the entry of the catalog with a name or Hub id, or with the architecture of a timm folder, or None."""
    if name_or_path in BACKBONES:
        return BACKBONES[name_or_path]
    if os.path.isdir(name_or_path):
        try:
            content = json.loads((Path(name_or_path) / _CONFIG).read_text(encoding="utf-8"))
            return BACKBONES.get(content["architecture"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
    return next((backbone for backbone in BACKBONES.values() if backbone.hub_id == name_or_path), None)


def load_imagenet_features(network: Classifier, folder_or_id: str, *, revision: str | None = None) -> None:
    """Load the convolutions of a network from a folder or Hub repository of timm. The head is not changed.

    Raises:
        CheckpointError: If a tensor of the convolutions is missing or unexpected.
        RuntimeError: If a tensor has another shape.
    """
    local = Path(folder_or_id) / _WEIGHTS
    file = local if local.parent.is_dir() else hf_hub_download(folder_or_id, _WEIGHTS, revision=revision)
    own = {f"{_PREFIX}{name.replace('.layers.', '.')}": name for name in network.features.state_dict()}  # of MONAI
    stored = {name: tensor for name, tensor in load_file(file).items() if name.startswith(_PREFIX)}
    differing = sorted(name for name in own.keys() ^ stored.keys() if not name.endswith("num_batches_tracked"))
    if differing:  # the counters are absent in old files
        raise CheckpointError(
            f"{_WEIGHTS} of {folder_or_id} does not fit the network; differing tensors: {', '.join(differing[:5])}."
        )
    network.features.load_state_dict({own[name]: tensor for name, tensor in stored.items()}, strict=False)
