"""One training run on labeled slices, with self-training, which continues after a kill."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from copy import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm
from transformers import set_seed

from spinealign.alignment.sagittal.locating import structure_probabilities
from spinealign.checkpoint.sagittal_engines import TorchSagittalEngine
from spinealign.cohort.masks.boxed import BoxedSlice
from spinealign.cohort.masks.labeled import LabeledSlice
from spinealign.cohort.masks.self_labels import label_boxed
from spinealign.networks.sagittal import SagittalConfig, SagittalNetwork
from spinealign.training.resuming import unfinished_run
from spinealign.training.sagittal.arguments import SagittalSetup
from spinealign.training.sagittal.dataset import StoredSlice
from spinealign.training.sagittal.trainer import build_sagittal_trainer
from spinealign.training.trainer_arguments import WITHOUT_EFFECT

logger = logging.getLogger(__name__)

STUDENT_RATE = 0.5  # of the learning rate of the teacher
REFINER_SHARE = 0.2  # epochs of the refiner for each epoch of the segmenter
REFINER_BATCH = 8  # slices; each gives several crops


@dataclass(frozen=True)
class _Phase:
    """A part of a training.

    Attributes:
        name: Name of its folder.
        epochs: Number of epochs.
        rate: Factor of the learning rate.
        refiner: Whether the refiner is trained, and not the segmenter.
    """

    name: str
    epochs: float
    rate: float = 1.0
    refiner: bool = False


def fit_network(
    slices: Sequence[LabeledSlice],
    boxed: Sequence[BoxedSlice],
    *,
    setup: SagittalSetup,
    folder: Path,
    epochs: float | None = None,
) -> tuple[SagittalNetwork, list[dict[str, Any]]]:
    """Train a network, or continue the unfinished run in a folder, and return it with the log of the Trainer.

    A first part of the epochs learns from the slices with masks. The network then labels the series with boxes of
    discs, and the other epochs learn from all (self-training; Xie et al., CVPR 2020). The refiner follows.

    Args:
        slices: Slices with masks.
        boxed: Series with boxes of discs; those without are not used.
        setup: Options of the network and the Trainer.
        folder: Folder of the run; it stays, so that the caller can delete it when the outcome is saved.
        epochs: Number of epochs of the segmenter, if it is not that of the setup.

    Raises:
        ValueError: If the folder holds an unfinished run with other options or slices.
    """
    stored = _by_source(slices)
    set_seed(setup.training.seed)
    network = SagittalNetwork(SagittalConfig(width=setup.model.width))
    epochs = epochs or setup.training.num_train_epochs
    known = [item for item in boxed if item.discs]
    first = max(1, round(epochs * setup.model.teacher_share)) if known else epochs
    network, history = _train(network, stored, _Phase("teacher", first), setup=setup, folder=folder)
    if known:
        labeled = label_series(network, known)
        logger.info("%d of %d series with boxes are labeled by the network.", len(labeled), len(known))
        stored |= {"boxed": [StoredSlice.store(item) for item in labeled]} if labeled else {}
        student = _Phase("student", epochs - first, rate=STUDENT_RATE)
        network, rest = _train(network, stored, student, setup=setup, folder=folder)
        history = [*history, *({**entry, "epoch": entry.get("epoch", 0) + first} for entry in rest)]
    if any(len(item.corners) for items in stored.values() for item in items):
        refiner = _Phase("refiner", max(1, round(REFINER_SHARE * epochs)), refiner=True)
        network, _ = _train(network, stored, refiner, setup=setup, folder=folder)
    return network, history


def label_series(network: SagittalNetwork, boxed: Sequence[BoxedSlice]) -> list[LabeledSlice]:
    """Label series with boxes of discs by what a network finds; those that it cannot label are left out."""
    engine = TorchSagittalEngine(network)
    labeled = (
        label_boxed(item, structure_probabilities(engine, item.gray))
        for item in tqdm(boxed, desc="Labeling series", unit="series", leave=False, disable=None, delay=1.0)
    )
    return [item for item in labeled if item is not None]


def _by_source(slices: Sequence[LabeledSlice]) -> dict[str, list[StoredSlice]]:
    groups = defaultdict(list)
    for item in tqdm(slices, desc="Storing slices", unit="slice", leave=False, disable=None, delay=1.0):
        groups[item.source].append(StoredSlice.store(item))
    return dict(groups)


def _train(
    network: SagittalNetwork,
    groups: dict[str, list[StoredSlice]],
    phase: _Phase,
    *,
    setup: SagittalSetup,
    folder: Path,
) -> tuple[SagittalNetwork, list[dict[str, Any]]]:
    own = copy(setup.training)
    own.output_dir, own.num_train_epochs = str(folder / phase.name), phase.epochs
    own.learning_rate *= phase.rate
    if phase.refiner:
        own.per_device_train_batch_size = REFINER_BATCH
    checkpoint = unfinished_run(folder / phase.name, _describe(setup, own.to_dict(), groups))
    trainer = build_sagittal_trainer(network, groups, arguments=own, refiner=phase.refiner)
    trainer.run(checkpoint)
    return trainer.trained_network(), trainer.state.log_history


def _describe(setup: SagittalSetup, arguments: dict[str, Any], groups: dict[str, list[StoredSlice]]) -> dict[str, Any]:
    """Return what determines the outcome of a run, as plain data for JSON."""
    digest = hashlib.sha256()
    for name in sorted(groups):
        for item in groups[name]:
            for array in (item.gray, item.masks, item.corners, np.array(item.sacrum or ())):
                digest.update(array.tobytes())
    options = {name: value for name, value in arguments.items() if not WITHOUT_EFFECT.match(name)}
    content = {"model": asdict(setup.model), "training": options, "run": {"images": digest.hexdigest()}}
    return dict(json.loads(json.dumps(content, default=str)))
