"""Training from collections of images to a checkpoint with its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import set_seed

from spinealign.cohort.image_cache import image_folder
from spinealign.cohort.loading import LoadedCohort
from spinealign.labels import Target
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.folds import CrossValidation
from spinealign.reporting.evaluation_text import format_cross_validation, format_evaluations, format_summary
from spinealign.training.backbone import create_backbone
from spinealign.training.cross_validation import cross_validate
from spinealign.training.describing import backbone_name
from spinealign.training.loading import index_collections, read_collections
from spinealign.training.rehearsal import check_setup, rehearse
from spinealign.training.resuming import describe_run, keep_logs, unfinished_run
from spinealign.training.saving import save_checkpoint
from spinealign.training.setup import TrainingSetup
from spinealign.training.trainer import build_trainer

RUN_FOLDER, IMAGES = "training", "images"


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

    @property
    def saved_in(self) -> Path | None:
        """The checkpoint, if this process wrote one."""
        return self.folder if self.evaluations else None

    @property
    def texts(self) -> list[str]:
        """What to print at the end: tables of all evaluations."""
        if not self.evaluations:
            return []
        return [
            *(f"{format_cross_validation(item)}\n" for item in self.cross_validations),
            f"{format_evaluations(self.evaluations)}\n\n{format_summary(self.evaluations)}",
            self.selection_note,
            f"The checkpoint is in {self.folder}",
        ]


def run_training(setup: TrainingSetup) -> TrainingResult:
    """Index, read, audit and split the collections, fit the network, choose its decision, evaluate it and write it.

    Options, packages, folders and the export are checked before an image is read.

    Raises:
        CohortError: If a collection cannot be used.
        CheckpointError: If the backbone cannot be loaded.
        OSError: If a folder cannot be written.
        ValueError: If an option is not supported, or the output folder holds an unfinished run with other options.
    """
    check_setup(setup)
    output = Path(setup.training.output_dir)
    run = output / RUN_FOLDER
    setup = replace(setup)  # with its own options of the Trainer
    setup.training.output_dir = str(run)

    cohorts, target = index_collections(setup)
    set_seed(setup.training.seed)
    network, preprocessing = create_backbone(setup.model, target, enhancement=setup.enhancement)
    network.config._name_or_path = backbone_name(setup)
    rehearse(setup, network, target=target, preprocessing=preprocessing)
    with image_folder(setup.data.cache_dir, run / IMAGES) as images:
        collections, verdicts = read_collections(
            setup, cohorts, target=target, preprocessing=preprocessing, folder=images
        )
        return _train(setup, network, target=target, collections=collections, verdicts=verdicts)


def _train(
    setup: TrainingSetup,
    network: Any,
    *,
    target: Target,
    collections: Sequence[LoadedCohort],
    verdicts: Mapping[str, tuple[str, ...]],
) -> TrainingResult:
    """Fit the network on split collections and write the checkpoint."""
    run = Path(setup.training.output_dir)
    output = run.parent
    with setup.training.main_process_first():
        checkpoint = unfinished_run(run, describe_run(setup, collections))
    cross_validations = cross_validate(setup, target, collections=collections) if setup.data.folds else ()
    set_seed(setup.training.seed)
    train = [item.part("train") for item in collections]
    validation = [item.part(item.cohort.selection_split or "test") for item in collections]
    trainer = build_trainer(setup, network, target=target, train=train, validation=validation)
    trainer.run(checkpoint)
    trainer.accelerator.wait_for_everyone()
    result = TrainingResult(output, (), cross_validations, resumed=checkpoint is not None)
    if setup.training.process_index == 0:
        record = save_checkpoint(
            output,
            setup,
            trainer=trainer,
            collections=collections,
            verdicts=verdicts,
            cross_validations=cross_validations,
        )
        keep_logs(run, output.resolve().with_name(f"{output.resolve().name}-logs"))
        result = replace(result, evaluations=record.evaluations, selection_note=record.selection_note)
    trainer.accelerator.wait_for_everyone()
    return result
