"""Checkpoint of the networks that find vertebrae: weights, settings, metrics, figures and card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spinealign.alignment.frontal import FrontalMeasurer
from spinealign.alignment.measuring import AASCE, ENDPLATE
from spinealign.checkpoint import files
from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.vertebra_engines import load_vertebra_engine
from spinealign.checkpoint.vertebra_record import FilmCollectionRecord, FilmTrainingRecord, VertebraRecord
from spinealign.checkpoint.vertebra_settings import VertebraSettings
from spinealign.cohort.landmarks.film import TEST, LandmarkCohort
from spinealign.evaluation.films import FilmEvaluation, cross_validated_agreement, evaluate_films
from spinealign.evaluation.measured_film import MeasuredFilm
from spinealign.metrics.conformal import IntervalRule, fit_interval
from spinealign.reporting.figures import plot_training_loss
from spinealign.reporting.film_figures import plot_agreements
from spinealign.reporting.model_card import render_card
from spinealign.training.describing import vertebra_command
from spinealign.training.export import export_vertebra_network
from spinealign.training.saving import describe_environment, write_record
from spinealign.training.vertebrae.arguments import DEFAULTS, VertebraSetup
from spinealign.training.vertebrae.cross_validation import FoldPredictions
from spinealign.writing import replaced_together

REJECTED_SHARE = 0.02  # of the held-out films, by the limit of the confidence


def save_vertebra_checkpoint(
    output: Path,
    setup: VertebraSetup,
    *,
    network: Any,
    history: Sequence[dict[str, Any]],
    cohorts: Sequence[LandmarkCohort],
    predictions: FoldPredictions | None = None,
) -> tuple[FilmEvaluation, ...]:
    """Write a checkpoint, evaluate it on the test films, and add metrics, figures and card.

    Old files in the folder are replaced, all together, when everything is written. Intervals and the limit of the
    confidence come from the films of the cross-validation; without one, there are none.

    Returns:
        One evaluation for each collection with a test split.
    """
    settings = fit_settings(setup, cohorts, held_out=predictions.films if predictions else ())
    notes = setup.model.card_notes
    with replaced_together(output, key=files.CONFIG_FILE, owned=files.CHECKPOINT_FILES) as folder:
        network.save_pretrained(folder)
        onnx, refiner = folder / files.ONNX_FILE, folder / files.REFINER_FILE
        export_vertebra_network(network, onnx, refiner=refiner, shapes=settings.shapes)
        (folder / files.SETTINGS_FILE).write_text(settings.to_json(), encoding="utf-8")
        checkpoint = Checkpoint(folder, str(folder))
        measurer = FrontalMeasurer(settings, load_vertebra_engine(checkpoint), model=checkpoint.model)
        found = [evaluate_films(measurer, cohort) for cohort in cohorts]
        evaluations = tuple(item for item in found if item is not None)
        agreements = [part for item in evaluations for part in item.agreements]
        if predictions:
            held_out = [
                replace(film, accepted=film.count >= settings.min_vertebrae and film.peak >= settings.min_peak)
                for film in predictions.films
            ]
            agreements.append(cross_validated_agreement(held_out, " + ".join(settings.training_data)))
        record = VertebraRecord(
            tuple(agreements),
            name=output.resolve().name,
            collections=tuple(map(_describe_collection, cohorts)),
            training=_describe_training(setup, network, cohorts=cohorts, predictions=predictions),
            notes=Path(notes).read_text(encoding="utf-8").strip() if notes else "",
            environment=describe_environment(),
        )
        write_record(folder, record)
        plot_training_loss(history, folder / files.LEARNING_CURVES)
        if agreements:
            plot_agreements(agreements, folder / files.EVALUATION_PLOT)
        (folder / files.CARD_FILE).write_text(render_card(record, settings), encoding="utf-8")
        for path in folder.iterdir():
            path.chmod(0o644)  # safetensors lets only the owner read
    return evaluations


def fit_settings(
    setup: VertebraSetup, cohorts: Sequence[LandmarkCohort], *, held_out: Sequence[MeasuredFilm]
) -> VertebraSettings:
    """Return the settings of a model: intervals and the limit of the confidence from held-out films."""
    peaks = [film.peak for film in held_out]
    return VertebraSettings(
        shapes=setup.model.shapes,
        min_peak=round(float(np.quantile(peaks, REJECTED_SHARE)), 4) if peaks else 0.0,
        intervals=_intervals(held_out),
        training_data=tuple(cohort.name for cohort in cohorts),
        seed=setup.training.seed,
    )


def _intervals(held_out: Sequence[MeasuredFilm]) -> dict[str, IntervalRule]:
    rules = {}
    for name in (*ENDPLATE, *AASCE):
        errors = np.array([film.error(name) for film in held_out])
        disagreements = np.array([film.disagreement(name) for film in held_out])
        try:
            rules[name] = fit_interval(errors, disagreements)
        except ValueError:  # too few films
            return {}
    return rules


def _describe_collection(cohort: LandmarkCohort) -> FilmCollectionRecord:
    splits = dict.fromkeys(film.split for film in cohort)
    parts = {split: cohort.part(split) for split in splits}
    trained = [film for film in cohort if film.split != TEST]
    return FilmCollectionRecord(
        cohort.name,
        parts={split: (len(part), len({film.group for film in part})) for split, part in parts.items()},
        checks=cohort.outcomes,
        left_out=len(trained) - len([film for film in cohort.unseen_training if film.split != TEST]),
        shown=len(parts[TEST]) - len(cohort.clean_test) if TEST in parts else 0,
        digest=cohort.digest,
    )


def _describe_training(
    setup: VertebraSetup,
    network: Any,
    *,
    cohorts: Sequence[LandmarkCohort],
    predictions: FoldPredictions | None,
) -> FilmTrainingRecord:
    training, model = setup.training, setup.model
    films = [film for cohort in cohorts for film in cohort.unseen_training if film.split != TEST]
    spines = [film for film in films if len(film.corners) > 1]
    return FilmTrainingRecord(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        films=len(spines),
        extra=_names(setup.data.extra_dir),
        backgrounds=_names(setup.data.background_dir),
        epochs=float(training.num_train_epochs),
        learning_rate=training.learning_rate,
        batch_size=training.per_device_train_batch_size,
        seed=training.seed,
        input_heights=(model.coarse_height, model.input_height),
        folds=predictions.folds if predictions else 0,
        fold_epochs=predictions.epochs if predictions else 0.0,
        processes=training.world_size,
        command=vertebra_command(setup, DEFAULTS),
    )


def _names(paths: Sequence[str] | None) -> tuple[str, ...]:
    """Return the last part without wildcards of each path."""
    parts = [Path(path).parts for path in paths or ()]
    return tuple(next((name for name in reversed(names) if "*" not in name), names[-1]) for names in parts)
