"""Training from collections of images to a checkpoint with its card."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import set_seed

from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.folds import CrossValidation
from spinealign.training.cross_validation import cross_validate, delete_folds
from spinealign.training.describing import backbone_name
from spinealign.training.fitting import fit, new_network
from spinealign.training.loading import (
    Reading,
    audit_collections,
    index_collections,
    read_collections,
    split_collections,
)
from spinealign.training.resuming import describe_run, finish_run, keep_logs, unfinished_run
from spinealign.training.saving import Training, save_checkpoint
from spinealign.training.setup import TrainingSetup

RUN_FOLDER = "training"


@dataclass(frozen=True)
class TrainingResult:
    """Outcome of a training.

    Attributes:
        folder: The checkpoint.
        evaluations: One for each collection, on its test split, or on its validation split without a test split;
            empty in all processes but the main one.
        cross_validations: One for each collection; empty if not requested.
        selection_note: Sentence on which of these images selected the epoch.
        resumed: Whether the training continued a killed run.
        push_summary: A line about the push, if the checkpoint was pushed.
    """

    folder: Path
    evaluations: tuple[Evaluation, ...]
    cross_validations: tuple[CrossValidation, ...] = ()
    selection_note: str = ""
    resumed: bool = False
    push_summary: str | None = None


def run_training(setup: TrainingSetup) -> TrainingResult:
    """Index, read, audit and split the collections, fit the network, choose its decision, evaluate it and write it.

    Raises:
        CohortError: If a collection cannot be used.
        CheckpointError: If the backbone cannot be loaded.
        ValueError: If an option is not supported, or the output folder holds an unfinished run with other options.
    """
    _check(setup)
    output = Path(setup.training.output_dir)
    run = output / RUN_FOLDER
    setup = replace(setup, training=copy(setup.training))
    setup.training.output_dir = str(run)
    main_process = setup.training.process_index == 0
    reading = Reading(
        progress=setup.training.local_process_index == 0 and not setup.training.disable_tqdm,
        report=main_process,
        seed=setup.training.seed,
    )

    cohorts = index_collections(setup.collections, setup.data.source_pattern)
    set_seed(setup.training.seed)
    network, preprocessing = new_network(setup)
    network.config._name_or_path = backbone_name(setup)
    loaded = read_collections(cohorts, preprocessing, reading=reading)
    verdicts = audit_collections(loaded, reading)
    collections = split_collections(loaded, setup.data, reading=reading)
    del loaded  # the parts hold what is still needed

    with setup.training.main_process_first():
        checkpoint = unfinished_run(run, describe_run(setup, collections))
    cross_validations = cross_validate(setup, collections) if setup.data.folds else ()
    fitted = fit(setup, network, collections=collections, checkpoint=checkpoint)
    result = TrainingResult(output, (), cross_validations, resumed=checkpoint is not None)
    if main_process:
        training = Training(setup, fitted.network, fitted.history, cross_validations, verdicts)
        record = save_checkpoint(output, training, collections=collections)
        finish_run(run)
        delete_folds(run)
        keep_logs(run, output.resolve().with_name(f"{output.resolve().name}-logs"))
        result = replace(result, evaluations=record.evaluations, selection_note=record.selection_note)
    fitted.trainer.accelerator.wait_for_everyone()
    return result


def _check(setup: TrainingSetup) -> None:
    """Refuse options that cannot work, before anything is loaded."""
    if setup.training.push_to_hub:
        raise ValueError(
            "push_to_hub of the Trainer would upload pickles. Use spinealign.train(..., push_to_hub=True) or "
            "spinealign.push_to_hub, which push the finished checkpoint."
        )
    if setup.training.resume_from_checkpoint:
        raise ValueError("Leave resume_from_checkpoint out: a killed training continues when it is started again.")
    if setup.training.save_only_model:
        raise ValueError("Leave save_only_model out: a killed training could not continue.")
    if setup.training.prediction_loss_only or setup.training.batch_eval_metrics:
        raise ValueError("Leave prediction_loss_only and batch_eval_metrics out: each epoch is scored on all images.")
    if setup.model.card_notes and not Path(setup.model.card_notes).is_file():
        raise FileNotFoundError(f"There is no file {setup.model.card_notes}; card_notes names a Markdown file.")
