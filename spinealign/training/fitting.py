"""Fit of a network to the training splits of collections, with the Hugging Face Trainer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import EarlyStoppingCallback, EvalPrediction, set_seed

from spinealign.cohort.loading import LoadedCohort
from spinealign.config import PreprocessingConfig
from spinealign.evaluation.scoring import shortcut_calls
from spinealign.metrics.intervals import wilson_interval
from spinealign.training.augmentation import build_augmentation
from spinealign.training.backbone import create_backbone
from spinealign.training.dataset import PixelTransform, build_dataset
from spinealign.training.metric import BinaryScores
from spinealign.training.setup import TrainingSetup
from spinealign.training.trainer import EpochCallback, StrictTrainer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """Outcome of a fit.

    Attributes:
        network: The trained network, on the device of the training.
        history: `log_history` of the Trainer.
        trainer: The Trainer; its other processes wait for the main one.
    """

    network: Any
    history: list[dict[str, Any]]
    trainer: StrictTrainer


def new_network(setup: TrainingSetup) -> tuple[Any, PreprocessingConfig]:
    """Create the network of a training and return it with the preprocessing of its input."""
    return create_backbone(
        setup.model.model_name_or_path,
        enhancement=setup.enhancement,
        revision=setup.model.model_revision,
        from_scratch=setup.model.from_scratch,
    )


def fit(
    setup: TrainingSetup, network: Any, *, collections: Sequence[LoadedCohort], checkpoint: str | None
) -> FittedNetwork:
    """Train a network in place on the training splits, and select the epoch on the selection splits.

    The training continues from `checkpoint`, a Trainer checkpoint of a killed run, if there is one.
    """
    set_seed(setup.training.seed)
    train = [item.part("train") for item in collections]
    validation = [item.part(item.cohort.selection_split or "test") for item in collections]
    trainer = build_trainer(setup, network, train=train, validation=validation)
    if checkpoint:
        logger.info("Resuming from %s", checkpoint)
    trainer.run(checkpoint)
    trainer.accelerator.wait_for_everyone()
    return FittedNetwork(trainer.accelerator.unwrap_model(trainer.model), trainer.state.log_history, trainer)


def build_trainer(
    setup: TrainingSetup, network: Any, *, train: Sequence[LoadedCohort], validation: Sequence[LoadedCohort]
) -> StrictTrainer:
    """Return a Trainer that is ready to run, and scores each epoch on the validation images."""
    training, preprocessing = setup.training, train[0].config
    augmentation = build_augmentation(setup.augmentation, preprocessing.image_size)
    augment = PixelTransform(preprocessing, augmentation, seed=training.seed)
    callbacks = [EpochCallback(augment)]
    if training.load_best_model_at_end:
        callbacks.append(EarlyStoppingCallback(setup.model.early_stopping_patience))
    return StrictTrainer(
        model=network,
        args=training,
        train_dataset=build_dataset(train, augment, balance=setup.data.balance),
        eval_dataset=build_dataset(validation, PixelTransform(preprocessing), balance=setup.data.balance),
        compute_metrics=_epoch_scores(train, validation),
        callbacks=callbacks,
    )


def predicted_probabilities(logits: Any) -> NDArray[np.float64]:
    """Return the uncalibrated probability of the finding, shape (N,), for logits of shape (N, 2)."""
    values = np.asarray(logits, float)
    return np.asarray(1 / (1 + np.exp(values[:, 0] - values[:, 1])))


def _epoch_scores(
    train: Sequence[LoadedCohort], validation: Sequence[LoadedCohort]
) -> Callable[[EvalPrediction], dict[str, float]]:
    """Return a function that scores an epoch, with sources, interval and shortcut baseline of its accuracy."""
    metric = BinaryScores(keep_in_memory=True)
    distinct = sum(len(part.cohort.sources) for part in validation)
    positive = np.concatenate([part.positive for part in validation])
    ridge = float((shortcut_calls(train, validation) == positive).mean())

    def scores(predicted: EvalPrediction) -> dict[str, float]:
        probability = predicted_probabilities(predicted.predictions)
        computed = metric.compute(predictions=probability, references=np.asarray(predicted.label_ids)) or {}
        low, high = wilson_interval(computed["accuracy"], distinct)
        return {**computed, "sources": distinct, "accuracy_low": low, "accuracy_high": high, "thumbnail_ridge": ridge}

    return scores
