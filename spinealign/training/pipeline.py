"""Train a classifier: from folders of images to a checkpoint with its card."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import set_seed

from spinealign.checkpoint.record import selection_note
from spinealign.cohort.audit.auditing import audit
from spinealign.cohort.loading import LoadedCohort
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.folds import CrossValidation
from spinealign.reporting.card_sections import backbone_name
from spinealign.training.arguments import TrainingSetup
from spinealign.training.cross_validation import cross_validate, forget_folds
from spinealign.training.finishing import Outcome, finish
from spinealign.training.preparation import build_trainer, load_collections, new_network
from spinealign.training.resuming import describe_run, finish_run, keep_logs, unfinished_run

logger = logging.getLogger(__name__)

RUN_FOLDER = "training"


@dataclass(frozen=True)
class TrainingResult:
    """What a training left behind.

    Attributes:
        folder: The checkpoint.
        evaluations: One for each collection, on its test part, or on its validation part where it has no test.
        cross_validations: One for each collection, where they were asked for.
        selection: A sentence that says which of these images chose the epoch.
        resumed: Whether a killed run was taken up.
    """

    folder: Path
    evaluations: tuple[Evaluation, ...]
    cross_validations: tuple[CrossValidation, ...]
    selection: str
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
    _check(setup)
    output = Path(setup.training.output_dir)
    run = output / RUN_FOLDER
    setup = replace(setup, training=copy(setup.training))
    setup.training.output_dir = str(run)
    set_seed(setup.training.seed)
    network, config = new_network(setup)
    network.config._name_or_path = backbone_name(setup)
    collections = load_collections(setup, config)
    audits = _audit(setup, collections) if setup.training.process_index == 0 else {}
    with setup.training.main_process_first():
        checkpoint = unfinished_run(run, describe_run(setup, collections))
    cross_validations = cross_validate(setup, collections, config=config) if setup.data.folds else ()
    set_seed(setup.training.seed)
    train_parts, validation = zip(*(
        (item.part("train"), item.part(item.cohort.selection_split or "test")) for item in collections
    ))  # fmt: skip
    trainer = build_trainer(setup, network, train=train_parts, validation=validation, config=config)
    if checkpoint:
        logger.info("Going on from %s", checkpoint)
    trainer.run(checkpoint)
    trainer.accelerator.wait_for_everyone()
    evaluations: tuple[Evaluation, ...] = ()
    if trainer.is_world_process_zero():
        trained = trainer.accelerator.unwrap_model(trainer.model)
        outcome = Outcome(trained, trainer.state.log_history, cross_validations, audits)
        evaluations = finish(output, setup, outcome=outcome, collections=collections).evaluations
        finish_run(run)
        forget_folds(run)
        keep_logs(run, output.resolve().with_name(f"{output.resolve().name}-logs"))
    trainer.accelerator.wait_for_everyone()
    cohorts = [item.cohort for item in collections]
    chosen = selection_note(cohorts, evaluations, epoch_was_chosen=setup.training.load_best_model_at_end)
    return TrainingResult(output, evaluations, cross_validations, chosen, resumed=checkpoint is not None)


def _check(setup: TrainingSetup) -> None:
    """Refuse what could not end well, before anything is loaded."""
    if setup.training.push_to_hub:
        raise ValueError(
            "push_to_hub would upload the Trainer's pickles; push the finished checkpoint with "
            "spinealign.hub.push_to_hub, as `spinealign train --push_to_hub` does."
        )
    if setup.training.resume_from_checkpoint:
        raise ValueError("a killed run goes on by itself when it is started again; leave resume_from_checkpoint out.")
    if setup.training.save_only_model:
        raise ValueError("save_only_model leaves nothing from which a killed run could go on; leave it out.")
    if setup.model.card_notes and not Path(setup.model.card_notes).is_file():
        raise FileNotFoundError(f"There is no file {setup.model.card_notes}; card_notes names a Markdown file.")


def _audit(setup: TrainingSetup, collections: Sequence[LoadedCohort]) -> dict[str, tuple[str, ...]]:
    """Audit each collection as it came, and say what was found before anything is trained on it."""
    verdicts = {}
    for data, item in zip(setup.data.data_dir, collections):
        found = audit(
            data,
            source_pattern=setup.data.source_pattern,
            progress=not setup.training.disable_tqdm,
            seed=setup.training.seed,
        )
        for sentence in found.verdict:
            logger.info("audit of %s: %s", item.cohort.name, sentence)
        verdicts[item.cohort.name] = found.verdict
    return verdicts
