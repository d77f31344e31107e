"""Checkpoint of a trained network: weights, decision, metrics, figures and card."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import save_file
from transformers import ViTImageProcessorPil

from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.files import (
    CARD_FILE,
    CHECKPOINT_FILES,
    CONFIG_FILE,
    EVALUATION_PLOT,
    LEARNING_CURVES,
    METRICS_FILE,
    NOVELTY_FILE,
    ONNX_FILE,
    SETTINGS_FILE,
    SIZE_CURVE,
)
from spinealign.checkpoint.record import CollectionRecord, ModelRecord
from spinealign.checkpoint.settings import ModelSettings
from spinealign.cohort.cohort import Cohort
from spinealign.cohort.loading import LoadedCohort
from spinealign.cohort.splitting import find_leaks
from spinealign.evaluation.scoring import score
from spinealign.inference.predictor import Predictor
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.folds import CrossValidation
from spinealign.metrics.novelty import NoveltyStatistics
from spinealign.reporting.case_sheet import draw_worst_cases
from spinealign.reporting.figures import plot_evaluation, plot_learning_curves, plot_sensitivity_by_size
from spinealign.reporting.model_card import render_card
from spinealign.training.decision import choose_decision, fit_rejection
from spinealign.training.describing import describe_training
from spinealign.training.export import export_onnx
from spinealign.training.setup import TrainingSetup
from spinealign.writing import replaced_together

WORST_CASES = "worst_cases.png"
PACKAGES = ("spinealign", "torch", "transformers", "datasets", "accelerate", "monai", "onnxruntime", "numpy")


@dataclass(frozen=True, eq=False)
class Training:
    """A finished training.

    Attributes:
        setup: Its options.
        network: The trained network.
        history: `log_history` of the Trainer.
        cross_validations: One for each collection; empty if not requested.
        verdicts: Verdict of the audit of each collection, before anything was dropped.
    """

    setup: TrainingSetup
    network: Any
    history: list[dict[str, Any]]
    cross_validations: tuple[CrossValidation, ...]
    verdicts: Mapping[str, tuple[str, ...]]


def save_checkpoint(output: Path, training: Training, *, collections: Sequence[LoadedCohort]) -> ModelRecord:
    """Write a checkpoint, choose its decision, evaluate it, and add metrics, figures and card.

    Old files in the folder are replaced, all together, when everything is written. The worst cases are images of
    patients, so they are written beside the checkpoint and not into it.
    """
    name = output.resolve().name
    with replaced_together(output, key=CONFIG_FILE, owned=CHECKPOINT_FILES) as folder:
        predictor = _save_with_decision(folder, training, collections)
        evaluations = tuple(score(predictor, item) for item in collections)
        record = _record(name, training, evaluations=evaluations, collections=collections)
        content = json.dumps(record.to_dict(), indent=2, allow_nan=False)
        (folder / METRICS_FILE).write_text(content + "\n", encoding="utf-8")
        plot_learning_curves(training.history, folder / LEARNING_CURVES)
        plot_evaluation(evaluations, folder / EVALUATION_PLOT)
        if any(item.sensitivity_by_size for item in evaluations):
            plot_sensitivity_by_size(evaluations, folder / SIZE_CURVE)
        (folder / CARD_FILE).write_text(render_card(record, predictor.settings), encoding="utf-8")
    draw_worst_cases(evaluations, output.resolve().with_name(f"{name}-{WORST_CASES}"))
    return record


def _save_with_decision(folder: Path, training: Training, collections: Sequence[LoadedCohort]) -> Predictor:
    """Save the network, choose its decision on held-out images, and return the predictor of the checkpoint."""
    setup = training.setup
    settings = ModelSettings(
        preprocessing=collections[0].config,
        training_data=tuple(item.cohort.name for item in collections),
        split=setup.data.split,
        source_pattern=setup.data.source_pattern,
        seed=setup.training.seed,
    )
    save_network(folder, training.network, settings=settings, weights_dtype=setup.model.weights_dtype)
    raw = Predictor.from_pretrained(folder)
    decision = choose_decision(raw, collections, sensitivity=setup.model.target_sensitivity)
    statistics, novelty = fit_rejection(raw, collections, seed=setup.training.seed)
    save_settings(folder, replace(settings, decision=decision, novelty=novelty), statistics=statistics)
    return Predictor(Checkpoint(folder, raw.model), raw.engine)


def _record(
    name: str,
    training: Training,
    *,
    evaluations: tuple[Evaluation, ...],
    collections: Sequence[LoadedCohort],
) -> ModelRecord:
    setup = training.setup
    notes = Path(setup.model.card_notes).read_text(encoding="utf-8").strip() if setup.model.card_notes else ""
    return ModelRecord(
        evaluations,
        name=name,
        cross_validations=training.cross_validations,
        collections=tuple(
            _collection_record(item.cohort, training.verdicts.get(item.cohort.name, ())) for item in collections
        ),
        training=describe_training(setup, training.network, history=training.history),
        notes=notes,
        environment={"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
    )


def _collection_record(cohort: Cohort, verdict: tuple[str, ...]) -> CollectionRecord:
    parts = {split: cohort.part(split) for split in cohort.splits}
    return CollectionRecord(
        cohort.name,
        parts={split: (len(part), len(part.sources)) for split, part in parts.items()},
        verdict=verdict,
        leaks=len(find_leaks(cohort)),
        dropped=cohort.dropped,
        selection_split=cohort.selection_split,
    )


def save_network(folder: Path, network: Any, *, settings: ModelSettings, weights_dtype: str = "float32") -> None:
    """Write `config.json`, `model.safetensors`, `preprocessor_config.json`, `spinealign.json` and `model.onnx`.

    Args:
        folder: An empty folder.
        network: An image classifier of transformers in float32; its weights are rounded to `weights_dtype`.
        settings: Settings stored with the weights.
        weights_dtype: Number format of the stored weights, `float32` or `bfloat16`.
    """
    network.to(getattr(torch, weights_dtype)).save_pretrained(folder)
    network.to(torch.float32)
    config = folder / CONFIG_FILE
    content = json.loads(config.read_text(encoding="utf-8"))
    content["dtype"] = "float32"  # the network computes in float32, however the weights are stored
    config.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    preprocessing = settings.preprocessing
    ViTImageProcessorPil(
        size={"height": preprocessing.image_size, "width": preprocessing.image_size},
        image_mean=list(preprocessing.image_mean),
        image_std=list(preprocessing.image_std),
        resample=preprocessing.resample,
    ).save_pretrained(folder)
    (folder / SETTINGS_FILE).write_text(settings.to_json(), encoding="utf-8")
    export_onnx(network, folder / ONNX_FILE, image_size=preprocessing.image_size, weights_dtype=weights_dtype)
    for path in folder.iterdir():
        path.chmod(0o644)


def save_settings(folder: Path, settings: ModelSettings, *, statistics: NoveltyStatistics) -> None:
    """Write `spinealign.json` and `novelty.safetensors` into a folder that `save_network` wrote."""
    (folder / SETTINGS_FILE).write_text(settings.to_json(), encoding="utf-8")
    tensors = {"means": statistics.means, "whitening": statistics.whitening}
    save_file(tensors, folder / NOVELTY_FILE)
    (folder / NOVELTY_FILE).chmod(0o644)
