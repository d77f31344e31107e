"""Create the network that is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification
from transformers.utils import logging

from spinealign.config import NEGATIVE_LABEL, POSITIVE_LABEL, ConditioningConfig, EnhancementConfig
from spinealign.errors import CheckpointError
from spinealign.networks.catalog import BACKBONES, Backbone
from spinealign.networks.pretrained import find_backbone, load_imagenet_features

_LABELS = (NEGATIVE_LABEL, POSITIVE_LABEL)
_NAMES = {"num_labels": 2, "id2label": dict(enumerate(_LABELS)), "label2id": {_LABELS[0]: 0, _LABELS[1]: 1}}


def create_backbone(
    name_or_path: str, *, enhancement: EnhancementConfig | None = None, revision: str | None = None,
    from_scratch: bool = False,
) -> tuple[Any, ConditioningConfig]:  # fmt: skip
    """Create a classifier of `normal` and `fracture`.

    A checkpoint whose class is not one of transformers (`cnn`, `vgg16`, `densenet121`, `thumbnail_ridge`) can be opened
    by its auto classes and `pipeline` once `spinealign.networks` was imported; its `model.onnx` needs nothing.

    Args:
        name_or_path: A name in the catalog, a Hub id, or a folder of transformers; for `vgg16` and `densenet121` also a
            folder of timm. A name goes before a folder of this name.
        enhancement: Window and filters of its input; the defaults where None.
        revision: Branch, tag or commit on the Hub.
        from_scratch: Take random weights; the backbone gives the shape alone. Needs no download for a name.

    Returns:
        The network in float32 with a new head, and the input that it takes.

    Raises:
        CheckpointError: If the backbone cannot be loaded.
    """
    backbone = find_backbone(name_or_path)
    source = backbone.hub_id if backbone and name_or_path == backbone.name else name_or_path
    if source is None and not from_scratch:
        raise CheckpointError(f"There are no pretrained weights of {name_or_path}; add --from_scratch.")
    try:
        with _quiet():
            if backbone and (from_scratch or backbone.is_own):
                network, conditioning = _of_shape(backbone, enhancement, freezable=not from_scratch)
                if not from_scratch:
                    load_imagenet_features(network, str(source), revision=revision)
            else:
                network, conditioning = _of_files(
                    str(source), enhancement=enhancement, revision=revision, from_scratch=from_scratch
                )
    except Exception as error:  # transformers raises whatever the files make it stumble over
        raise CheckpointError(
            f"The backbone {name_or_path} cannot be loaded ({type(error).__name__}: {error}). Pass a folder with "
            "config.json, preprocessor_config.json and model.safetensors, a Hub id that can be reached, or one of "
            f"{', '.join(BACKBONES)} with --from_scratch, which needs no download."
        ) from error
    network.config.dtype = torch.float32
    return network, conditioning


def _of_shape(
    backbone: Backbone, enhancement: EnhancementConfig | None, *, freezable: bool
) -> tuple[Any, ConditioningConfig]:
    """Return a network with random weights."""
    config = backbone.shape(**_NAMES)
    if getattr(config, "freeze", False):
        config.freeze = freezable  # random convolutions are not worth keeping
    conditioning = ConditioningConfig(**asdict(enhancement or EnhancementConfig()), image_size=backbone.image_size)
    return AutoModelForImageClassification.from_config(config, dtype=torch.float32), conditioning


def _of_files(
    name_or_path: str, *, enhancement: EnhancementConfig | None, revision: str | None, from_scratch: bool
) -> tuple[Any, ConditioningConfig]:
    """Return the network of a folder or a Hub repository of transformers."""
    where = {"revision": revision, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(name_or_path, **where, **_NAMES)
    processor = AutoImageProcessor.from_pretrained(name_or_path, backend="pil", **where)
    conditioning = ConditioningConfig.from_preprocessor(processor.to_dict(), enhancement)
    if from_scratch:
        return AutoModelForImageClassification.from_config(config, dtype=torch.float32), conditioning
    network = AutoModelForImageClassification.from_pretrained(
        name_or_path, config=config, dtype=torch.float32, use_safetensors=True, ignore_mismatched_sizes=True, **where
    )
    return network, conditioning


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from reporting, as a warning, that the head is new."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
