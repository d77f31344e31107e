"""Make a trained network a checkpoint: save it, learn its decision, evaluate what was written, describe it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spinealign.checkpoint.files import EVALUATION_PLOT, LEARNING_CURVES, METRICS_FILE, SIZE_CURVE
from spinealign.checkpoint.record import TrainingRecord, epochs_of
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import ModelSettings
from spinealign.evaluation.scoring import WORST_CASES, Scored, score, worst_cases_of
from spinealign.inference.predictor import Predictor
from spinealign.metrics.folds import CrossValidation
from spinealign.reporting.case_sheet import draw_worst_cases
from spinealign.reporting.evaluation_figures import plot_evaluation
from spinealign.reporting.model_card import write_card
from spinealign.reporting.training_figures import plot_learning_curves, plot_sensitivity_by_size
from spinealign.training.arguments import TrainingSetup
from spinealign.training.decision import learn_decision, learn_novelty
from spinealign.training.saving import save_network, save_settings
from spinealign.writing import staged


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a training came to.

    Attributes:
        network: The trained network.
        history: The Trainer's `log_history`.
        cross_validations: Of each collection, where they were asked for.
        audits: Verdict of the audit of each collection, as it was before anything was dropped from it.
    """

    network: Any
    history: list[dict[str, Any]]
    cross_validations: tuple[CrossValidation, ...]
    audits: Mapping[str, tuple[str, ...]]


def finish(
    output: Path, setup: TrainingSetup, *, outcome: Outcome, collections: Sequence[LoadedCohort]
) -> TrainingRecord:
    """Write the checkpoint, evaluate what was written, and add metrics, pictures and card.

    Args:
        output: The folder of the checkpoint; what it held before stays until everything is written.
        setup: What the training was told.
        outcome: What it came to.
        collections: The images it was trained and is evaluated on.

    Returns:
        What was measured.
    """
    with staged(output) as folder:
        predictor = _save_with_decision(folder, setup, outcome.network, collections)
        scored = [score(predictor, item) for item in collections]
        settings = predictor.settings
        assert settings.novelty is not None  # noqa: S101 - it was just learnt
        record = TrainingRecord(
            evaluations=tuple(item.evaluation for item in scored),
            accepted=tuple(item.accepted for item in scored if item.accepted),
            decision=settings.decision,
            novelty=settings.novelty,
            cross_validations=outcome.cross_validations,
            audits=outcome.audits,
            parameters=_parameters(outcome.network),
            processes=setup.training.world_size,
            epochs=epochs_of(outcome.history),
        )
        content = json.dumps(record.to_dict(), indent=2, allow_nan=False)
        (folder / METRICS_FILE).write_text(content + "\n", encoding="utf-8")
        _draw(folder, scored, outcome.history)
        write_card(
            folder, setup, record=record, cohorts=[item.cohort for item in collections], name=output.resolve().name
        )
    _draw_worst_cases(scored, output.resolve().with_name(f"{output.resolve().name}-{WORST_CASES}"))
    return record


def _save_with_decision(
    folder: Path, setup: TrainingSetup, network: Any, collections: Sequence[LoadedCohort]
) -> Predictor:
    names = tuple(item.cohort.name for item in collections)
    settings = ModelSettings(
        conditioning=collections[0].config,
        training_data=names,
        split=setup.data.split,
        source_pattern=setup.data.source_pattern,
        seed=setup.training.seed,
    )
    save_network(folder, network, settings=settings, weights_dtype=setup.model.weights_dtype)
    raw = Predictor.from_pretrained(folder)
    decision = learn_decision(raw, collections, sensitivity=setup.model.target_sensitivity)
    statistics, novelty = learn_novelty(raw, collections, seed=setup.training.seed)
    save_settings(folder, replace(settings, decision=decision, novelty=novelty), statistics=statistics)
    return Predictor.from_pretrained(folder)


def _draw(folder: Path, scored: Sequence[Scored], history: list[dict[str, Any]]) -> None:
    plot_learning_curves(history, folder / LEARNING_CURVES)
    plot_evaluation([item.predictions for item in scored], folder / EVALUATION_PLOT)
    curves = {
        item.evaluation.collection: item.evaluation.sensitivity_by_size
        for item in scored
        if item.evaluation.sensitivity_by_size
    }
    if curves:
        plot_sensitivity_by_size(curves, folder / SIZE_CURVE)


def _draw_worst_cases(scored: Sequence[Scored], path: Path) -> None:
    """Draw the worst cases beside the checkpoint, not into it: they are images of patients."""
    draw_worst_cases([case for item in scored for case in worst_cases_of(item)], path)


def _parameters(network: Any) -> tuple[int, int]:
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)
