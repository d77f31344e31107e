"""Cross-validation of a training over sources."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import IntervalStrategy, set_seed

from spinealign.cohort.loading import LoadedCohort
from spinealign.evaluation.scoring import cross_score, folds_of
from spinealign.labels import Target
from spinealign.metrics.folds import CrossValidation
from spinealign.training.backbone import create_backbone
from spinealign.training.resuming import describe_run, finish_run, unfinished_run
from spinealign.training.setup import TrainingSetup
from spinealign.training.trainer import build_trainer
from spinealign.writing import new_file

logger = logging.getLogger(__name__)

RESULT_FILE = "logits.json"


def cross_validate(
    setup: TrainingSetup, target: Target, *, collections: Sequence[LoadedCohort]
) -> tuple[CrossValidation, ...]:
    """Train one model per fold of all collections together, score it on that fold; one result each.

    The last epoch is used, so nothing is selected on the held-out images. Finished folds are kept below the run folder
    and are not trained again when a killed run continues. The splits of the collections are ignored.

    Raises:
        CohortError: If a class of a collection has fewer sources than folds.
    """
    folds = [folds_of(item, setup.data.folds, target=target, seed=setup.training.seed) for item in collections]
    logits = [np.full((len(item.cohort), len(target.outputs)), np.nan) for item in collections]
    for number in range(setup.data.folds):
        logger.info("Cross-validation: fold %d of %d", number + 1, setup.data.folds)
        held_out = [item.select(np.flatnonzero(fold == number).tolist()) for item, fold in zip(collections, folds)]
        rest = [item.select(np.flatnonzero(fold != number).tolist()) for item, fold in zip(collections, folds)]
        found = _fold(setup, target, rest=rest, held_out=held_out, number=number)
        for fold, of_collection, part in zip(folds, logits, found):
            of_collection[fold == number] = part
    return tuple(
        cross_score(target.probabilities(of_collection), item, target=target, fold=fold)
        for item, fold, of_collection in zip(collections, folds, logits)
    )


def _fold(
    setup: TrainingSetup,
    target: Target,
    *,
    rest: Sequence[LoadedCohort],
    held_out: Sequence[LoadedCohort],
    number: int,
) -> list[NDArray[np.float64]]:
    """Return the logits of the held-out images of each collection, from a model that was trained on the rest."""
    run = Path(setup.training.output_dir) / f"fold-{number + 1}"
    setup = replace(setup)  # with its own options of the Trainer
    training = setup.training
    training.output_dir, training.load_best_model_at_end, training.seed = str(run), False, training.seed + number
    training.eval_strategy = IntervalStrategy.NO
    description = describe_run(setup, [*rest, *held_out])
    result = run / RESULT_FILE
    with suppress(OSError, ValueError):  # no result, or a damaged one
        content = json.loads(result.read_text(encoding="utf-8"))
        if content["setup"] == description:
            return [np.array(part) for part in content["logits"]]
    with training.main_process_first():
        checkpoint = unfinished_run(run, description)
    set_seed(training.seed)
    network, _ = create_backbone(setup.model, target, enhancement=setup.enhancement)
    trainer = build_trainer(setup, network, target=target, train=rest, validation=held_out)
    trainer.run(checkpoint)
    parts = np.split(trainer.predicted_logits(), np.cumsum([len(part.cohort) for part in held_out])[:-1])
    if trainer.is_world_process_zero():
        with new_file(result) as staging:
            content = {"setup": description, "logits": [part.tolist() for part in parts]}
            staging.write_text(json.dumps(content), encoding="utf-8")
        finish_run(run)
    trainer.accelerator.wait_for_everyone()
    return list(parts)
