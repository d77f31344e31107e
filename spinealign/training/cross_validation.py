"""Cross-validate a training: each source is called by a model that never saw it."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import IntervalStrategy, set_seed

from spinealign.cohort.loading import LoadedCohort
from spinealign.config import ConditioningConfig
from spinealign.evaluation.assessment import cross_assess, folds_of
from spinealign.metrics.folds import CrossValidation
from spinealign.training.arguments import TrainingSetup
from spinealign.training.preparation import build_trainer, new_network
from spinealign.training.resuming import describe_run, finish_run, unfinished_run

logger = logging.getLogger(__name__)

RESULT_FILE = "probabilities.json"


def cross_validate(
    setup: TrainingSetup, collections: Sequence[LoadedCohort], *, config: ConditioningConfig
) -> tuple[CrossValidation, ...]:
    """Train a model for each fold of all collections together, and score what it says of the images it never saw.

    The last epoch counts: nothing is chosen on the images that are held out. A fold that is done is kept below the run
    and not trained again when a killed run goes on.

    Args:
        setup: What the training was told; `output_dir` is the run's folder.
        collections: The images, whatever their split.
        config: How they were conditioned.

    Returns:
        One result for each collection.

    Raises:
        CohortError: If a class of a collection has fewer sources than there are folds.
    """
    folds = [folds_of(item, setup.data.folds, seed=setup.training.seed) for item in collections]
    probabilities = [np.full(len(item.cohort), np.nan) for item in collections]
    for number in range(setup.data.folds):
        logger.info("Cross-validation: fold %d of %d", number + 1, setup.data.folds)
        held_out = [item.chosen(np.flatnonzero(fold == number).tolist()) for item, fold in zip(collections, folds)]
        rest = [item.chosen(np.flatnonzero(fold != number).tolist()) for item, fold in zip(collections, folds)]
        found = _fold(setup, rest, held_out=held_out, number=number, config=config)
        for fold, probability, part in zip(folds, probabilities, found):
            probability[fold == number] = part
    return tuple(
        cross_assess(probability, item, fold=fold, threshold=0.5)
        for item, fold, probability in zip(collections, folds, probabilities)
    )


def forget_folds(run: Path) -> None:
    """Delete what was kept of a cross-validation, once its training is done."""
    for folder in run.glob("fold-*"):
        shutil.rmtree(folder)


def _fold(
    setup: TrainingSetup, rest: Sequence[LoadedCohort], *, held_out: Sequence[LoadedCohort], number: int,
    config: ConditioningConfig,
) -> list[NDArray[np.float64]]:  # fmt: skip
    run = Path(setup.training.output_dir) / f"fold-{number + 1}"
    training = copy(setup.training)
    training.output_dir, training.load_best_model_at_end, training.seed = str(run), False, training.seed + number
    training.eval_strategy = IntervalStrategy.NO
    setup = replace(setup, training=training)
    description = describe_run(setup, [*rest, *held_out])
    result = run / RESULT_FILE
    if done := _kept(result, description):
        return done
    with training.main_process_first():
        checkpoint = unfinished_run(run, description)
    set_seed(training.seed)
    network, _ = new_network(setup)
    trainer = build_trainer(setup, network, train=rest, validation=held_out, config=config)
    trainer.run(checkpoint)
    logits = np.asarray(trainer.predict(trainer.eval_dataset).predictions, float)
    probability = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    parts = np.split(probability, np.cumsum([len(part.cohort) for part in held_out])[:-1])
    if trainer.is_world_process_zero():
        staging = result.with_suffix(".part")
        content = {"setup": description, "probabilities": [part.tolist() for part in parts]}
        staging.write_text(json.dumps(content), encoding="utf-8")
        os.replace(staging, result)
        finish_run(run)
    trainer.accelerator.wait_for_everyone()
    return list(parts)


def _kept(result: Path, description: dict[str, Any]) -> list[NDArray[np.float64]] | None:
    """Return what a fold gave that was done before, if it was told the same."""
    try:
        content = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if content["setup"] != description:
        return None
    return [np.array(part) for part in content["probabilities"]]
