"""Train a classifier: from folders of images to a checkpoint with its card."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import EarlyStoppingCallback, EvalPrediction, set_seed

from spinealign.cohort.indexing import index_cohort, require_binary, require_parts
from spinealign.cohort.loading import LoadedCohort, load_images
from spinealign.cohort.splitting import resolve_leakage, split_cohort
from spinealign.config import ConditioningConfig, ModelSettings
from spinealign.errors import CohortError
from spinealign.evaluation.evaluation import Evaluation
from spinealign.evaluation.intervals import wilson_interval
from spinealign.evaluation.operating_point import sensitivity_offset
from spinealign.inference.predictor import Predictor
from spinealign.modeling.arguments import TrainingSetup
from spinealign.modeling.assessment import assess, shortcut_accuracy
from spinealign.modeling.augmentation import build_augmentation
from spinealign.modeling.backbone import create_backbone
from spinealign.modeling.card import LEARNING_CURVES, SIZE_CURVE, backbone_name, write_card
from spinealign.modeling.dataset import PixelTransform, build_dataset
from spinealign.modeling.metric import FractureScores
from spinealign.modeling.plots import plot_learning_curves, plot_sensitivity_by_size
from spinealign.modeling.resuming import describe_run, finish_run, unfinished_run
from spinealign.modeling.saving import save_network, staged
from spinealign.modeling.trainer import EpochCallback, StrictTrainer

logger = logging.getLogger(__name__)

METRICS_FILE = "metrics.json"
RUN_FOLDER = "training"


@dataclass(frozen=True)
class TrainingResult:
    """What a training left behind.

    Attributes:
        folder: The checkpoint.
        evaluations: One for each collection, on its test part, or on its validation part where it has no test.
        resumed: Whether a killed run was taken up.
    """

    folder: Path
    evaluations: tuple[Evaluation, ...]
    resumed: bool


def train(setup: TrainingSetup) -> TrainingResult:
    """Train, evaluate and save a classifier.

    The Trainer's own checkpoints lie in `training/` below the output folder until the run is done; a run that was
    killed goes on from the last of them when it is started again with the same settings.

    Args:
        setup: What `parse_training_setup` returns.

    Returns:
        Where the checkpoint is, and its numbers; of several processes, only the main one evaluates.

    Raises:
        CohortError: If a collection cannot be used.
        CheckpointError: If the backbone cannot be loaded.
        ValueError: If the output folder holds an unfinished run with other settings.
    """
    if setup.training.push_to_hub:
        raise ValueError("push_to_hub would upload the Trainer's pickles; push the finished checkpoint folder instead.")
    if setup.training.resume_from_checkpoint:
        raise ValueError("a killed run goes on by itself when it is started again; leave resume_from_checkpoint out.")
    if setup.training.save_only_model:
        raise ValueError("save_only_model leaves nothing from which a killed run could go on; leave it out.")
    notes = Path(setup.model.card_notes).read_text(encoding="utf-8") if setup.model.card_notes else ""
    output = Path(setup.training.output_dir)
    run = output / RUN_FOLDER
    setup = replace(setup, training=copy(setup.training))
    setup.training.output_dir = str(run)
    set_seed(setup.training.seed)
    network, config = create_backbone(
        setup.model.model_name_or_path,
        enhancement=setup.enhancement,
        revision=setup.model.model_revision,
        from_scratch=setup.model.from_scratch,
    )
    network.config._name_or_path = backbone_name(setup)
    collections = load_collections(setup, config)
    trainer = build_trainer(setup, network, collections=collections, config=config)
    with setup.training.main_process_first():
        checkpoint = unfinished_run(run, describe_run(setup, collections))
    if checkpoint:
        logger.info("Going on from %s", checkpoint)
        trainer.take_up(checkpoint)
    else:
        trainer.train()
    if setup.model.target_sensitivity is not None:
        shift_decision(trainer, collections, sensitivity=setup.model.target_sensitivity)
    trainer.accelerator.wait_for_everyone()
    evaluations: tuple[Evaluation, ...] = ()
    if trainer.is_world_process_zero():
        evaluations = _save(output, setup, trainer=trainer, collections=collections, notes=notes)
        finish_run(run)
    trainer.accelerator.wait_for_everyone()
    return TrainingResult(output, evaluations, resumed=checkpoint is not None)


def load_collections(setup: TrainingSetup, config: ConditioningConfig) -> list[LoadedCohort]:
    """Index, split and read the collections of a training.

    Raises:
        CohortError: If one of them cannot be used, or two have the same name.
    """
    loaded = []
    for data in setup.data.data_dir:
        cohort = index_cohort(data, source_pattern=setup.data.source_pattern)
        require_binary(cohort)
        cohort = split_cohort(cohort, setup.data.split, seed=setup.training.seed)
        cohort = require_parts(resolve_leakage(cohort, setup.data.on_leakage))
        loaded.append(load_images(cohort, config, progress=setup.training.local_process_index == 0))
        for line in loaded[-1].cohort.skipped if setup.training.process_index == 0 else ():
            logger.warning("%s", line)
    names = [item.cohort.name for item in loaded]
    if len(set(names)) < len(names):
        raise CohortError(f"Two collections have the same name ({', '.join(names)}); rename a folder.")
    return loaded


def build_trainer(
    setup: TrainingSetup, network: Any, *, collections: Sequence[LoadedCohort], config: ConditioningConfig
) -> StrictTrainer:
    """Return the Trainer of a training, ready to run."""
    training = setup.training
    augment = PixelTransform(config, build_augmentation(setup.augmentation, config.image_size), seed=training.seed)
    train_parts = [item.part("train") for item in collections]
    validation = [item.part(item.cohort.selection_split) for item in collections]
    callbacks = [EpochCallback(augment)]
    if training.load_best_model_at_end:
        callbacks.append(EarlyStoppingCallback(setup.model.early_stopping_patience))
    return StrictTrainer(
        model=network,
        args=training,
        train_dataset=build_dataset(train_parts, augment),
        eval_dataset=build_dataset(validation, PixelTransform(config)),
        compute_metrics=_epoch_scores(train_parts, validation),
        callbacks=callbacks,
    )


def shift_decision(trainer: StrictTrainer, collections: Sequence[LoadedCohort], *, sensitivity: float) -> None:
    """Shift the bias of the trained head by `sensitivity_offset` on the validation parts."""
    predicted = trainer.predict(trainer.eval_dataset)
    logits, truth = np.asarray(predicted.predictions, float), np.asarray(predicted.label_ids)
    names = [item.cohort.name for item in collections for _ in item.part(item.cohort.selection_split).cohort]
    log_odds = logits[:, 1] - logits[:, 0]
    offset = sensitivity_offset(log_odds, truth == 1, sensitivity=sensitivity, collections=names)
    classifier = trainer.accelerator.unwrap_model(trainer.model).classifier
    head = [module for module in classifier.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        head.bias.add_(torch.tensor([-offset / 2, offset / 2], device=head.bias.device))
    logger.info("Shifted the log-odds of the finding by %+.3f", offset)


def _epoch_scores(
    train_parts: Sequence[LoadedCohort], validation: Sequence[LoadedCohort]
) -> Callable[[EvalPrediction], dict[str, float]]:
    """Return a function that scores an epoch, with what its accuracy rests on beside it."""
    metric = FractureScores(keep_in_memory=True)
    distinct = sum(len(part.cohort.sources) for part in validation)
    ridge = shortcut_accuracy(train_parts, validation)

    def scores(predicted: EvalPrediction) -> dict[str, float]:
        logits, truth = np.asarray(predicted.predictions, float), np.asarray(predicted.label_ids)
        probability = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
        computed = metric.compute(predictions=probability, references=truth) or {}
        low, high = wilson_interval(computed["accuracy"], distinct)
        return {**computed, "sources": distinct, "accuracy_low": low, "accuracy_high": high, "thumbnail_ridge": ridge}

    return scores


def _save(
    output: Path,
    setup: TrainingSetup,
    *,
    trainer: StrictTrainer,
    collections: Sequence[LoadedCohort],
    notes: str,
) -> tuple[Evaluation, ...]:
    """Write the checkpoint, evaluate what was written, and add metrics, pictures and card."""
    names = tuple(item.cohort.name for item in collections)
    settings = ModelSettings(
        collections[0].config, names, setup.data.split, setup.data.source_pattern, setup.training.seed
    )
    network = trainer.accelerator.unwrap_model(trainer.model)
    with staged(output) as folder:
        save_network(folder, network, settings=settings, weights_dtype=setup.model.weights_dtype)
        predictor = Predictor.from_pretrained(folder)
        evaluations = tuple(assess(predictor, item) for item in collections)
        history = trainer.state.log_history
        plot_learning_curves(history, folder / LEARNING_CURVES)
        curves = {item.collection: item.sensitivity_by_size for item in evaluations if item.sensitivity_by_size}
        if curves:
            plot_sensitivity_by_size(curves, folder / SIZE_CURVE)
        (folder / METRICS_FILE).write_text(
            json.dumps(_metrics(setup, evaluations, history), indent=2, allow_nan=False), encoding="utf-8"
        )
        cohorts = [item.cohort for item in collections]
        name = output.resolve().name
        write_card(folder, setup, cohorts=cohorts, evaluations=evaluations, name=name, notes=notes)
    return evaluations


def _metrics(setup: TrainingSetup, evaluations: Sequence[Evaluation], history: list[dict[str, Any]]) -> dict[str, Any]:
    packages = ("spinealign", "torch", "transformers", "datasets", "accelerate", "monai", "onnxruntime", "numpy")
    return {
        "evaluations": [item.to_dict() for item in evaluations],
        "backbone": backbone_name(setup),
        "seed": setup.training.seed,
        "processes": setup.training.world_size,
        "epochs": [
            {name: value if isfinite(value) else None for name, value in row.items()}  # JSON has no NaN
            for row in history
            if "eval_loss" in row
        ],
        "environment": {"python": platform.python_version(), **{name: version(name) for name in packages}},
    }
