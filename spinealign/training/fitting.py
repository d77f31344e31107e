"""Fit of a network to the training splits of collections, with the Hugging Face Trainer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from transformers import EarlyStoppingCallback, EvalPrediction, set_seed

from spinealign.cohort.loading import LoadedCohort
from spinealign.evaluation.scoring import shortcut_calls
from spinealign.metrics.intervals import wilson_interval
from spinealign.training.augmentation import Augmentation
from spinealign.training.dataset import PixelTransform, build_dataset
from spinealign.training.metric import BinaryScores
from spinealign.training.setup import TrainingSetup
from spinealign.training.trainer import StrictTrainer, probabilities

logger = logging.getLogger(__name__)


def fit(
    setup: TrainingSetup, network: Any, *, collections: Sequence[LoadedCohort], checkpoint: str | None
) -> StrictTrainer:
    """Train a network in place on the training splits, and select the epoch on the selection splits.

    The training continues from `checkpoint`, a Trainer checkpoint of a killed run, if there is one.

    Returns:
        The Trainer, when all processes are done.
    """
    set_seed(setup.training.seed)
    train = [item.part("train") for item in collections]
    validation = [item.part(item.cohort.selection_split or "test") for item in collections]
    trainer = build_trainer(setup, network, train=train, validation=validation)
    if checkpoint:
        logger.info("Resuming from %s", checkpoint)
    trainer.run(checkpoint)
    trainer.accelerator.wait_for_everyone()
    return trainer


def build_trainer(
    setup: TrainingSetup, network: Any, *, train: Sequence[LoadedCohort], validation: Sequence[LoadedCohort]
) -> StrictTrainer:
    """Return a Trainer that is ready to run, and scores each epoch on the validation images."""
    training, preprocessing = setup.training, train[0].config
    augmentation = Augmentation(setup.augmentation, preprocessing.image_size)
    transform = PixelTransform(preprocessing, augmentation, seed=training.seed)
    stopping = [EarlyStoppingCallback(setup.model.early_stopping_patience)] if training.load_best_model_at_end else []
    return StrictTrainer(
        transform,
        model=network,
        args=training,
        train_dataset=build_dataset(train, transform, balance=setup.data.balance),
        eval_dataset=build_dataset(validation, PixelTransform(preprocessing), balance=setup.data.balance),
        compute_metrics=_epoch_scores(train, validation, folder=training.output_dir),
        callbacks=stopping,
    )


def _epoch_scores(
    train: Sequence[LoadedCohort], validation: Sequence[LoadedCohort], *, folder: str
) -> Callable[[EvalPrediction], dict[str, float]]:
    """Return a function that scores an epoch, with sources, interval and shortcut baseline of its accuracy."""
    metric = BinaryScores(keep_in_memory=True, cache_dir=folder)  # by default, it needs a folder in HOME
    distinct = sum(len(part.cohort.sources) for part in validation)
    positive = np.concatenate([part.positive for part in validation])
    ridge = float((shortcut_calls(train, validation) == positive).mean())

    def scores(predicted: EvalPrediction) -> dict[str, float]:
        computed = metric.compute(
            predictions=probabilities(predicted.predictions), references=np.asarray(predicted.label_ids)
        )
        low, high = wilson_interval(computed["accuracy"], distinct)
        return {**computed, "sources": distinct, "accuracy_low": low, "accuracy_high": high, "thumbnail_ridge": ridge}

    return scores
