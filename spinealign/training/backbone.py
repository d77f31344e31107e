"""Networks to train, from the catalog, the Hub or a folder."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification
from transformers.utils import logging

from spinealign.checkpoint.files import WEIGHTS_FILE, file_path, is_embedded, weights_hint
from spinealign.checkpoint.finding import DEFAULT_FOLDER, DEFAULT_MODEL
from spinealign.config import EnhancementConfig, PreprocessingConfig
from spinealign.errors import CheckpointError
from spinealign.labels import Target
from spinealign.networks.catalog import BACKBONES
from spinealign.networks.classifier import MULTI_LABEL
from spinealign.networks.pretrained import find_backbone, load_imagenet_features
from spinealign.training.arguments import ModelArguments


def create_backbone(
    model: ModelArguments, target: Target, *, enhancement: EnhancementConfig | None = None
) -> tuple[Any, PreprocessingConfig]:
    """Create a classifier in float32 with a new head for the outputs of a target, and return it with its preprocessing.

    `model_name_or_path` is a name in the catalog, a Hub id, a transformers folder, or `spinealign/default` for the
    embedded model; for `vgg16` and `densenet121` also a timm folder. A name takes precedence over a folder of the same
    name. With `from_scratch`, a name of the catalog needs no download. The auto classes and `pipeline` of transformers
    can load `cnn`, `vgg16`, `densenet121` and `thumbnail_ridge` after `import spinealign.networks`.

    Raises:
        CheckpointError: If the backbone cannot be loaded.
    """
    name, names = model.model_name_or_path, _output_names(target)
    backbone = find_backbone(name)
    source = weights = BACKBONES[name].hub_id if name in BACKBONES else name
    folder = DEFAULT_FOLDER if name == DEFAULT_MODEL else Path(name)
    if is_embedded(folder):
        file = file_path(folder, WEIGHTS_FILE)
        if not file.is_file():
            raise CheckpointError(f"{name} has no {WEIGHTS_FILE}.{weights_hint(folder)}")
        source, weights = str(folder), str(file.parent)
    if source is None and not model.from_scratch:
        raise CheckpointError(f"There are no pretrained weights for {name}. Use from_scratch.")
    try:
        with ExitStack() as stack:
            stack.callback(logging.set_verbosity, logging.get_verbosity())
            logging.set_verbosity_error()  # no warning that the head is new
            if backbone and (model.from_scratch or backbone.network):
                config = backbone.shape(**names)
                if getattr(config, "freeze", False):
                    config.freeze = not model.from_scratch  # random convolutions must be trained
                preprocessing = PreprocessingConfig(
                    **asdict(enhancement or EnhancementConfig()), image_size=backbone.image_size
                )
            else:
                where = {"revision": model.model_revision, "trust_remote_code": False}
                config = AutoConfig.from_pretrained(source, **where, **names)
                processor = AutoImageProcessor.from_pretrained(source, backend="pil", **where)
                preprocessing = PreprocessingConfig.from_preprocessor(processor.to_dict(), enhancement)
            if model.from_scratch or (backbone and backbone.network):
                network = AutoModelForImageClassification.from_config(config, dtype=torch.float32)
                if not model.from_scratch:
                    load_imagenet_features(network, str(source), revision=model.model_revision)
            else:
                network = AutoModelForImageClassification.from_pretrained(
                    weights, config=config, dtype=torch.float32, use_safetensors=True, ignore_mismatched_sizes=True,
                    **where,
                )  # fmt: skip
    except Exception as error:  # transformers raises many types for damaged files
        raise CheckpointError(
            f"The backbone {name} cannot be loaded ({type(error).__name__}: {error}). Pass a folder with "
            "config.json, preprocessor_config.json and model.safetensors, a Hub id that can be reached, or one of "
            f"{', '.join(BACKBONES)} with from_scratch, which needs no download."
        ) from error
    network.config.dtype = torch.float32
    return network, preprocessing


def _output_names(target: Target) -> dict[str, Any]:
    """Return the fields of a configuration of transformers that describe the outputs."""
    return {
        "num_labels": len(target.outputs),
        "id2label": dict(enumerate(target.outputs)),
        "label2id": {name: index for index, name in enumerate(target.outputs)},
        "problem_type": MULTI_LABEL if target.has_several else "single_label_classification",
    }
