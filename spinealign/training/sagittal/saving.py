"""Checkpoint of the network for sagittal MR: weights, settings, metrics, figures and card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinealign.checkpoint import files
from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.sagittal_engines import load_sagittal_engine
from spinealign.checkpoint.sagittal_record import SagittalRecord, SliceCollectionRecord, SliceTrainingRecord
from spinealign.checkpoint.sagittal_settings import SagittalSettings
from spinealign.cohort.masks.boxed import BoxedSlice
from spinealign.cohort.masks.labeled import LabeledSlice
from spinealign.cohort.masks.loading import MaskCohort
from spinealign.evaluation.compared_values import all_slices, interval_rules, of_volumes
from spinealign.evaluation.measured_slice import measure_slice
from spinealign.evaluation.slices import evaluate_slices, probability_limit
from spinealign.metrics.value_agreement import SagittalEvaluation
from spinealign.reporting.figures import plot_training_loss
from spinealign.reporting.model_card import render_card
from spinealign.reporting.slice_figures import PLOTTED, plot_values
from spinealign.reporting.slice_tables import parts_of
from spinealign.training.describing import vertebra_command
from spinealign.training.export import export_sagittal_network
from spinealign.training.sagittal.arguments import DEFAULTS, SagittalSetup
from spinealign.training.sagittal.cross_validation import SagittalFoldPredictions
from spinealign.training.saving import describe_environment, write_record
from spinealign.writing import replaced_together


def save_sagittal_checkpoint(
    output: Path,
    setup: SagittalSetup,
    *,
    network: Any,
    history: Sequence[dict[str, Any]],
    cohort: MaskCohort,
    predictions: SagittalFoldPredictions | None = None,
) -> SagittalEvaluation | None:
    """Write a checkpoint, evaluate it on the slices of the split `test`, and add metrics, figures and card.

    Old files in the folder are replaced, all together, when everything is written. Intervals and the limit of the
    probability come from the slices of the cross-validation; without one, there are none.

    Returns:
        The evaluation on the split `test`; None without such slices. That of the cross-validation is kept apart.
    """
    settings = fit_settings(setup, cohort, predictions=predictions)
    evaluation = evaluate_predictions(predictions) if predictions else None
    notes = setup.model.card_notes
    with replaced_together(output, key=files.CONFIG_FILE, owned=files.CHECKPOINT_FILES) as folder:
        network.save_pretrained(folder)
        export_sagittal_network(network, folder / files.ONNX_FILE, refiner=folder / files.REFINER_FILE)
        (folder / files.SETTINGS_FILE).write_text(settings.to_json(), encoding="utf-8")
        test = _evaluate_test(Checkpoint(folder, str(folder)), cohort)
        record = SagittalRecord(
            (evaluation,) if evaluation else (),
            name=output.resolve().name,
            collections=_describe_collections(cohort),
            training=_describe_training(setup, network, cohort=cohort, predictions=predictions),
            digest=cohort.digest,
            left_out=cohort.notes,
            test=test,
            notes=Path(notes).read_text(encoding="utf-8").strip() if notes else "",
            environment=describe_environment(),
        )
        write_record(folder, record)
        plot_training_loss(history, folder / files.LEARNING_CURVES)
        if evaluation and evaluation.measures:
            plot_values(evaluation, parts_of(evaluation)[0], path=folder / files.EVALUATION_PLOT)
        (folder / files.CARD_FILE).write_text(render_card(record, settings), encoding="utf-8")
        for path in folder.iterdir():
            path.chmod(0o644)  # safetensors lets only the owner read
    return test


def _evaluate_test(checkpoint: Checkpoint, cohort: MaskCohort) -> SagittalEvaluation | None:
    """Return the evaluation of a checkpoint on the slices of the split `test`; None without such slices."""
    if not cohort.test_slices:
        return None
    engine = load_sagittal_engine(checkpoint)
    found = evaluate_slices([measure_slice(engine, item) for item in cohort.test_slices])
    return replace(found, measures=tuple(replace(item, pairs=()) for item in found.measures))


def evaluate_predictions(predictions: SagittalFoldPredictions) -> SagittalEvaluation:
    """Return the evaluation of a cross-validation, with the values that are plotted."""
    found = evaluate_slices(predictions.slices, pictures=predictions.pictures, transfers=predictions.transfers)
    measures = tuple(item if item.name in PLOTTED else replace(item, pairs=()) for item in found.measures)
    return replace(found, measures=measures)


def fit_settings(
    setup: SagittalSetup, cohort: MaskCohort, *, predictions: SagittalFoldPredictions | None
) -> SagittalSettings:
    """Return the settings of a model: intervals and the limit of the probability from held-out slices."""
    settings = SagittalSettings(
        training_data=tuple(item.name for item in _describe_collections(cohort)), seed=setup.training.seed
    )
    if predictions is None:
        return settings
    return replace(
        settings,
        min_probability=round(probability_limit(predictions.slices, predictions.pictures), 4),
        intervals=interval_rules(of_volumes(predictions.slices)),
        slice_intervals=interval_rules(all_slices(predictions.slices)),
    )


def _describe_collections(cohort: MaskCohort) -> tuple[SliceCollectionRecord, ...]:
    items: list[LabeledSlice | BoxedSlice] = [*cohort.slices, *cohort.boxed]
    return tuple(
        SliceCollectionRecord(
            source,
            slices=sum(item.source == source for item in cohort.slices),
            series=sum(item.source == source for item in cohort.boxed),
            patients=len({item.patient for item in items if item.source == source}),
        )
        for source in dict.fromkeys(item.source for item in items)
    )


def _describe_training(
    setup: SagittalSetup,
    network: Any,
    *,
    cohort: MaskCohort,
    predictions: SagittalFoldPredictions | None,
) -> SliceTrainingRecord:
    training = setup.training
    return SliceTrainingRecord(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        slices=len(cohort.training.slices),
        series=sum(bool(item.discs) for item in cohort.training.boxed),
        epochs=float(training.num_train_epochs),
        teacher_share=setup.model.teacher_share,
        learning_rate=training.learning_rate,
        batch_size=training.per_device_train_batch_size,
        seed=training.seed,
        folds=predictions.folds if predictions else 0,
        fold_epochs=predictions.epochs if predictions else 0.0,
        command=vertebra_command(setup, DEFAULTS),
    )
