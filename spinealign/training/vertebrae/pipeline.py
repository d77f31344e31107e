"""Training from films to a checkpoint with its card."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from spinealign.cohort.landmarks.loading import load_films
from spinealign.errors import CohortError
from spinealign.evaluation.films import FilmEvaluation
from spinealign.reporting.film_tables import format_agreements
from spinealign.training.pipeline import RUN_FOLDER
from spinealign.training.rehearsal import check_output, refuse_push
from spinealign.training.resuming import keep_logs
from spinealign.training.vertebrae.arguments import VertebraSetup
from spinealign.training.vertebrae.cross_validation import FoldPredictions, code_digest, cross_validate_films
from spinealign.training.vertebrae.films import store_backgrounds, store_films
from spinealign.training.vertebrae.fitting import Others, fit_network
from spinealign.training.vertebrae.saving import save_vertebra_checkpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VertebraTrainingResult:
    """Outcome of a training.

    Attributes:
        folder: The checkpoint; None if only the cross-validation was requested.
        evaluations: One for each collection with a test split.
        predictions: Those of the cross-validation; None without one.
        push_summary: A line about the push, if the checkpoint was pushed.
    """

    folder: Path | None
    evaluations: tuple[FilmEvaluation, ...]
    predictions: FoldPredictions | None
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
        agreements = [part for item in self.evaluations for part in item.agreements]
        scores = [format_agreements(agreements)] if agreements else ["No film of a split test was scored."]
        return [*scores, f"The checkpoint is in {self.folder}"]


def run_vertebra_training(setup: VertebraSetup) -> VertebraTrainingResult:
    """Load and check the films, cross-validate, fit the networks, evaluate them on the test films and write them.

    Films of a group that has a test film are not trained on.

    Raises:
        CohortError: If a collection cannot be used, or stored predictions are of other films.
        OSError: If a folder cannot be written.
        ValueError: If an option is not supported, or the output folder holds an unfinished run with other options.
    """
    output = Path(setup.training.output_dir)
    refuse_push(setup.training)
    check_output(output)
    run = output / RUN_FOLDER
    cohorts = [load_films(source, repairs=setup.data.repairs) for source in setup.data.data_dir]
    extra = [film for source in setup.data.extra_dir or () for film in load_films(source)]
    for cohort in cohorts:
        logger.info("%s: %s", cohort.name, ", ".join(f"{count} {name}" for name, count in cohort.outcomes.items()))
    films = [film for cohort in cohorts for film in cohort.unseen_training if film.split != "test"]
    spines = [film for film in films if len(film.corners) > 1]
    if not spines:
        raise CohortError("No film with vertebrae is left to train on; films whose group has a test film are left out.")
    empty = store_films([film for film in films if not len(film.corners)])
    others = Others(store_films(extra), [*empty, *store_backgrounds(setup.data.background_dir or ())])
    data = "+".join(cohort.digest for cohort in cohorts)
    predictions = None
    if setup.data.folds:
        predictions = cross_validate_films(setup, spines, others=others, data=data, run=run)
        if setup.data.fold_predictions:
            predictions.save(Path(setup.data.fold_predictions))
    elif setup.data.fold_predictions:
        predictions = FoldPredictions.load(Path(setup.data.fold_predictions))
        if predictions.data != data:
            raise CohortError(f"{setup.data.fold_predictions} was made with other films or labels; make it again.")
        if predictions.code != code_digest():
            raise CohortError(f"{setup.data.fold_predictions} was made by another release; make it again.")
    if setup.data.folds_only:
        keep_logs(run, _logs(output))
        return VertebraTrainingResult(None, (), predictions)
    network, history = fit_network(store_films(spines), others, setup=setup, folder=run / "network")
    evaluations = save_vertebra_checkpoint(
        output, setup, network=network, history=history, cohorts=cohorts, predictions=predictions
    )
    keep_logs(run, _logs(output))
    return VertebraTrainingResult(output, evaluations, predictions)


def _logs(output: Path) -> Path:
    return output.resolve().with_name(f"{output.resolve().name}-logs")
