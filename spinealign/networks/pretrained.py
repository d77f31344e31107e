"""ImageNet weights of timm for the networks of this package."""

from __future__ import annotations

import json
import os
from pathlib import Path

from huggingface_hub import hf_hub_download
from safetensors import safe_open

from spinealign.errors import CheckpointError
from spinealign.networks.catalog import BACKBONES, Backbone
from spinealign.networks.classifier import Classifier

_CONFIG, _WEIGHTS = "config.json", "model.safetensors"
_PREFIX, _COUNTER = "features.", "num_batches_tracked"


def find_backbone(name_or_path: str) -> Backbone | None:
    """Return the matching entry of the catalog, or None.

    Args:
        name_or_path: Name or Hub id of an entry, or a timm folder whose architecture is the name of an entry.
    """
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

    Args:
        network: Network with `features`.
        folder_or_id: Folder or Hub repository with `model.safetensors`.
        revision: Branch, tag or commit on the Hub.

    Raises:
        CheckpointError: If a tensor of the convolutions is missing or unexpected.
        RuntimeError: If a tensor has another shape.
    """
    local = Path(folder_or_id) / _WEIGHTS
    file = local if local.parent.is_dir() else hf_hub_download(folder_or_id, _WEIGHTS, revision=revision)
    own = {f"{_PREFIX}{name}": tensor for name, tensor in network.features.state_dict().items()}
    wanted = {_timm_name(name): name for name in own if not name.endswith(_COUNTER)}  # absent in old files
    with safe_open(file, framework="pt") as stored:
        names = {name for name in stored.keys() if name.startswith(_PREFIX) and not name.endswith(_COUNTER)}  # noqa: SIM118
        if differing := sorted(names ^ wanted.keys()):
            raise CheckpointError(
                f"{_WEIGHTS} of {folder_or_id} does not fit the network; differing tensors: {', '.join(differing[:5])}."
            )
        own |= {wanted[name]: stored.get_tensor(name) for name in names}
    network.features.load_state_dict({name.removeprefix(_PREFIX): tensor for name, tensor in own.items()}, strict=True)


def _timm_name(name: str) -> str:
    """Return the name of a tensor in timm; MONAI nests each dense layer in one more module."""
    return name.replace(".layers.", ".")
