"""Training from sagittal slices with masks to a checkpoint with its card."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from spinealign.cohort.masks.loading import load_slices
from spinealign.errors import CohortError
from spinealign.metrics.value_agreement import SagittalEvaluation
from spinealign.reporting.slice_tables import format_slices
from spinealign.training.pipeline import RUN_FOLDER
from spinealign.training.rehearsal import check_output, refuse_push
from spinealign.training.resuming import keep_logs
from spinealign.training.sagittal.arguments import SagittalSetup
from spinealign.training.sagittal.cross_validation import SagittalFoldPredictions, code_digest, cross_validate_slices
from spinealign.training.sagittal.fitting import fit_network
from spinealign.training.sagittal.saving import save_sagittal_checkpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SagittalTrainingResult:
    """Outcome of a training.

    Attributes:
        folder: The checkpoint; None if only the cross-validation was requested.
        predictions: Those of the cross-validation; None without one.
        evaluation: That of the slices of the split `test`; None without them.
        push_summary: A line about the push, if the checkpoint was pushed.
    """

    folder: Path | None
    predictions: SagittalFoldPredictions | None
    evaluation: SagittalEvaluation | None = None
    push_summary: str | None = None

    @property
    def saved_in(self) -> Path | None:
        """The checkpoint, if there is one."""
        return self.folder

    @property
    def texts(self) -> list[str]:
        """What to print at the end."""
        if self.folder is None:
            return ["The cross-validation is finished."]
        scores = format_slices(self.evaluation) if self.evaluation else "No slice of a split test was scored."
        return [scores, f"The checkpoint is in {self.folder}"]


def run_sagittal_training(setup: SagittalSetup) -> SagittalTrainingResult:
    """Load the slices, cross-validate, fit the network, and write it with its evaluation.

    Slices of a patient with a slice of the split `test` are not trained on; those of this split are scored.

    Raises:
        CohortError: If a collection cannot be used, or stored predictions are of other slices.
        OSError: If a folder cannot be written.
        ValueError: If an option is not supported, or the output folder holds an unfinished run with other options.
    """
    output = Path(setup.training.output_dir)
    refuse_push(setup.training)
    check_output(output)
    run, logs = output / RUN_FOLDER, output.resolve().with_name(f"{output.resolve().name}-logs")
    cohort = load_slices(setup.data.data_dir)
    for note in cohort.notes:
        logger.info("%s: %s", cohort.name, note)
    slices, boxed = cohort.training.slices, cohort.training.boxed
    if not slices:
        raise CohortError(
            "No slice with masks is left to train on; patients with a slice of the split test are left out."
        )
    predictions = None
    if setup.data.folds:
        predictions = cross_validate_slices(setup, slices, boxed=boxed, data=cohort.digest, run=run)
        if setup.data.fold_predictions:
            predictions.save(Path(setup.data.fold_predictions))
    elif setup.data.fold_predictions:
        predictions = SagittalFoldPredictions.load(Path(setup.data.fold_predictions))
        if predictions.data != cohort.digest:
            raise CohortError(f"{setup.data.fold_predictions} was made with other slices or labels; make it again.")
        if predictions.code != code_digest():
            raise CohortError(f"{setup.data.fold_predictions} was made by another release; make it again.")
    if setup.data.folds_only:
        keep_logs(run, logs)
        return SagittalTrainingResult(None, predictions)
    network, history = fit_network(slices, boxed, setup=setup, folder=run / "network")
    evaluation = save_sagittal_checkpoint(
        output, setup, network=network, history=history, cohort=cohort, predictions=predictions
    )
    keep_logs(run, logs)
    return SagittalTrainingResult(output, predictions, evaluation)
