"""Create the network that is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification
from transformers.utils import logging

from spinealign.config import NEGATIVE_LABEL, POSITIVE_LABEL, ConditioningConfig, EnhancementConfig
from spinealign.errors import CheckpointError


def create_backbone(
    name_or_path: str, *, enhancement: EnhancementConfig | None = None, revision: str | None = None,
    from_scratch: bool = False,
) -> tuple[Any, ConditioningConfig]:  # fmt: skip
    """Create a classifier of `normal` and `fracture`.

    Args:
        name_or_path: A Hub id or a folder of transformers.
        enhancement: Window and filters of its input; the defaults where None.
        revision: Branch, tag or commit on the Hub.
        from_scratch: Take random weights; the backbone gives the shape alone.

    Returns:
        The network in float32 with a new head, and the input that it takes.

    Raises:
        CheckpointError: If the backbone cannot be loaded.
    """
    labels = (NEGATIVE_LABEL, POSITIVE_LABEL)
    names = {"num_labels": 2, "id2label": dict(enumerate(labels)), "label2id": {labels[0]: 0, labels[1]: 1}}
    try:
        with _quiet():
            where = {"revision": revision, "trust_remote_code": False}
            config = AutoConfig.from_pretrained(name_or_path, **where, **names)
            processor = AutoImageProcessor.from_pretrained(name_or_path, backend="pil", **where)
            conditioning = ConditioningConfig.from_preprocessor(processor.to_dict(), enhancement)
            if from_scratch:
                network = AutoModelForImageClassification.from_config(config, dtype=torch.float32)
            else:
                network = AutoModelForImageClassification.from_pretrained(
                    name_or_path, config=config, dtype=torch.float32, use_safetensors=True,
                    ignore_mismatched_sizes=True, **where,
                )  # fmt: skip
    except Exception as error:  # transformers raises whatever the files make it stumble over
        raise CheckpointError(
            f"The backbone {name_or_path} cannot be loaded ({type(error).__name__}: {error}). Pass a folder with "
            "config.json, preprocessor_config.json and model.safetensors, or a Hub id that can be reached."
        ) from error
    network.config.dtype = torch.float32
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
