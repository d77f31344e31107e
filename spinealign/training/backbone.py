"""Networks to train, from the catalog, the Hub or a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification
from transformers.utils import logging

from spinealign.config import NEGATIVE_LABEL, POSITIVE_LABEL, EnhancementConfig, PreprocessingConfig
from spinealign.errors import CheckpointError
from spinealign.networks.catalog import BACKBONES, Backbone
from spinealign.networks.pretrained import find_backbone, load_imagenet_features
from spinealign.training.setup import TrainingSetup

_LABELS = (NEGATIVE_LABEL, POSITIVE_LABEL)
_NAMES = {"num_labels": 2, "id2label": dict(enumerate(_LABELS)), "label2id": {_LABELS[0]: 0, _LABELS[1]: 1}}


def new_network(setup: TrainingSetup) -> tuple[Any, PreprocessingConfig]:
    """Create the network of a training and return it with the preprocessing of its input."""
    return create_backbone(
        setup.model.model_name_or_path,
        enhancement=setup.enhancement,
        revision=setup.model.model_revision,
        from_scratch=setup.model.from_scratch,
    )


def create_backbone(
    name_or_path: str, *, enhancement: EnhancementConfig | None = None, revision: str | None = None,
    from_scratch: bool = False,
) -> tuple[Any, PreprocessingConfig]:  # fmt: skip
    """Create a classifier of `normal` and `fracture`.

    The auto classes and `pipeline` of transformers can load `cnn`, `vgg16`, `densenet121` and `thumbnail_ridge` after
    `import spinealign.networks`.

    Args:
        name_or_path: A name in the catalog, a Hub id, or a transformers folder; for `vgg16` and `densenet121` also a
            timm folder. A name takes precedence over a folder of the same name.
        enhancement: Window and filters of the input; None for the defaults.
        revision: Branch, tag or commit on the Hub.
        from_scratch: Use random weights; a name of the catalog then needs no download.

    Returns:
        The network in float32 with a new head, and the preprocessing of its input.

    Raises:
        CheckpointError: If the backbone cannot be loaded.
    """
    backbone = find_backbone(name_or_path)
    source = backbone.hub_id if backbone and name_or_path == backbone.name else name_or_path
    if source is None and not from_scratch:
        raise CheckpointError(f"There are no pretrained weights for {name_or_path}. Use from_scratch.")
    try:
        with _quiet():
            if backbone and (from_scratch or backbone.is_own):
                network, preprocessing = _of_shape(backbone, enhancement, freezable=not from_scratch)
                if not from_scratch:
                    load_imagenet_features(network, str(source), revision=revision)
            else:
                network, preprocessing = _of_files(
                    str(source), enhancement=enhancement, revision=revision, from_scratch=from_scratch
                )
    except Exception as error:  # transformers raises many types for damaged files
        raise CheckpointError(
            f"The backbone {name_or_path} cannot be loaded ({type(error).__name__}: {error}). Pass a folder with "
            "config.json, preprocessor_config.json and model.safetensors, a Hub id that can be reached, or one of "
            f"{', '.join(BACKBONES)} with from_scratch, which needs no download."
        ) from error
    network.config.dtype = torch.float32
    return network, preprocessing


def _of_shape(
    backbone: Backbone, enhancement: EnhancementConfig | None, *, freezable: bool
) -> tuple[Any, PreprocessingConfig]:
    """Return a network with random weights."""
    config = backbone.shape(**_NAMES)
    if getattr(config, "freeze", False):
        config.freeze = freezable  # random convolutions must be trained
    preprocessing = PreprocessingConfig(**asdict(enhancement or EnhancementConfig()), image_size=backbone.image_size)
    return AutoModelForImageClassification.from_config(config, dtype=torch.float32), preprocessing


def _of_files(
    name_or_path: str, *, enhancement: EnhancementConfig | None, revision: str | None, from_scratch: bool
) -> tuple[Any, PreprocessingConfig]:
    """Return the network of a transformers folder or Hub repository."""
    where = {"revision": revision, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(name_or_path, **where, **_NAMES)
    processor = AutoImageProcessor.from_pretrained(name_or_path, backend="pil", **where)
    preprocessing = PreprocessingConfig.from_preprocessor(processor.to_dict(), enhancement)
    if from_scratch:
        return AutoModelForImageClassification.from_config(config, dtype=torch.float32), preprocessing
    network = AutoModelForImageClassification.from_pretrained(
        name_or_path, config=config, dtype=torch.float32, use_safetensors=True, ignore_mismatched_sizes=True, **where
    )
    return network, preprocessing


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the warning of transformers that the head is new."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
