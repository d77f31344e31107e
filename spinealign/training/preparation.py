"""What a training needs before it can run: a network, images, and a Trainer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from transformers import EarlyStoppingCallback, EvalPrediction

from spinealign.cohort.indexing import index_cohort, require_binary, require_parts
from spinealign.cohort.loading import LoadedCohort
from spinealign.cohort.preparing import prepare_cohort
from spinealign.cohort.splitting import hold_out_calibration
from spinealign.config import ConditioningConfig
from spinealign.errors import CohortError
from spinealign.evaluation.assessment import shortcut_calls
from spinealign.metrics.intervals import wilson_interval
from spinealign.training.arguments import TrainingSetup
from spinealign.training.augmentation import build_augmentation
from spinealign.training.backbone import create_backbone
from spinealign.training.dataset import PixelTransform, build_dataset
from spinealign.training.metric import FractureScores
from spinealign.training.trainer import EpochCallback, StrictTrainer

logger = logging.getLogger(__name__)


def new_network(setup: TrainingSetup) -> tuple[Any, ConditioningConfig]:
    """Create the network of a training, as `create_backbone` does, and the input that it takes."""
    return create_backbone(
        setup.model.model_name_or_path,
        enhancement=setup.enhancement,
        revision=setup.model.model_revision,
        from_scratch=setup.model.from_scratch,
    )


def load_collections(setup: TrainingSetup, config: ConditioningConfig) -> list[LoadedCohort]:
    """Index, split and read the collections of a training.

    Raises:
        CohortError: If one of them cannot be used, or two have the same name.
    """
    loaded = []
    for data in setup.data.data_dir:
        cohort = index_cohort(data, source_pattern=setup.data.source_pattern)
        require_binary(cohort)
        images = prepare_cohort(
            cohort, config, split=setup.data.split, on_leakage=setup.data.on_leakage, seed=setup.training.seed,
            progress=setup.training.local_process_index == 0,
        )  # fmt: skip
        parts = require_parts(hold_out_calibration(images.cohort, seed=setup.training.seed))
        loaded.append(images.matching(parts))
        for line in loaded[-1].cohort.skipped if setup.training.process_index == 0 else ():
            logger.warning("%s", line)
    names = [item.cohort.name for item in loaded]
    if len(set(names)) < len(names):
        raise CohortError(f"Two collections have the same name ({', '.join(names)}); rename a folder.")
    return loaded


def build_trainer(
    setup: TrainingSetup,
    network: Any,
    *,
    train: Sequence[LoadedCohort],
    validation: Sequence[LoadedCohort],
    config: ConditioningConfig,
) -> StrictTrainer:
    """Return the Trainer of a training, ready to run.

    Args:
        setup: What the training was told.
        network: The network.
        train: The images it is trained on.
        validation: Those that each epoch is scored on.
        config: How they were conditioned.
    """
    training = setup.training
    augment = PixelTransform(config, build_augmentation(setup.augmentation, config.image_size), seed=training.seed)
    callbacks = [EpochCallback(augment)]
    if training.load_best_model_at_end:
        callbacks.append(EarlyStoppingCallback(setup.model.early_stopping_patience))
    return StrictTrainer(
        model=network,
        args=training,
        train_dataset=build_dataset(train, augment, balance=setup.data.balance),
        eval_dataset=build_dataset(validation, PixelTransform(config), balance=setup.data.balance),
        compute_metrics=_epoch_scores(train, validation),
        callbacks=callbacks,
    )


def _epoch_scores(
    train: Sequence[LoadedCohort], validation: Sequence[LoadedCohort]
) -> Callable[[EvalPrediction], dict[str, float]]:
    """Return a function that scores an epoch, with what its accuracy rests on beside it."""
    metric = FractureScores(keep_in_memory=True)
    distinct = sum(len(part.cohort.sources) for part in validation)
    positive = np.concatenate([part.positive for part in validation])
    ridge = float((shortcut_calls(train, validation) == positive).mean())

    def scores(predicted: EvalPrediction) -> dict[str, float]:
        logits, truth = np.asarray(predicted.predictions, float), np.asarray(predicted.label_ids)
        probability = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
        computed = metric.compute(predictions=probability, references=truth) or {}
        low, high = wilson_interval(computed["accuracy"], distinct)
        return {**computed, "sources": distinct, "accuracy_low": low, "accuracy_high": high, "thumbnail_ridge": ridge}

    return scores
