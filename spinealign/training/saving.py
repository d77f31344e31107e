"""Checkpoint of a trained network: weights, decision, metrics, figures and card."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import save_file
from transformers import ViTImageProcessorPil

from spinealign.checkpoint import files
from spinealign.checkpoint.checkpoint import AnyRecord, Checkpoint
from spinealign.checkpoint.engines import Output
from spinealign.checkpoint.record import CollectionRecord, ModelRecord
from spinealign.checkpoint.settings import ModelSettings
from spinealign.cohort.cohort import Cohort
from spinealign.cohort.loading import LoadedCohort
from spinealign.cohort.splitting import find_leaks
from spinealign.cohort.training_images import training_digests
from spinealign.evaluation.scoring import score
from spinealign.inference.predictor import Predictor
from spinealign.labels import Target
from spinealign.metrics.evaluation import WORST_CASES
from spinealign.metrics.folds import CrossValidation
from spinealign.reporting.case_sheet import draw_worst_cases
from spinealign.reporting.figures import plot_evaluation, plot_learning_curves, plot_sensitivity_by_size
from spinealign.reporting.model_card import render_card
from spinealign.training.decision import MeasuredCohort, choose_decisions, fit_rejection, measure
from spinealign.training.describing import describe_input, describe_training
from spinealign.training.export import export_onnx
from spinealign.training.setup import TrainingSetup
from spinealign.training.trainer import ClassifierTrainer
from spinealign.writing import replaced_together

PACKAGES = ("spinealign", "torch", "transformers", "datasets", "accelerate", "monai", "onnxruntime", "numpy")


def save_checkpoint(
    output: Path,
    setup: TrainingSetup,
    *,
    trainer: ClassifierTrainer,
    collections: Sequence[LoadedCohort],
    verdicts: Mapping[str, tuple[str, ...]],
    cross_validations: tuple[CrossValidation, ...] = (),
) -> ModelRecord:
    """Write a checkpoint, choose its decision, evaluate it, and add metrics, figures and card.

    Old files in the folder are replaced, all together, when everything is written. The worst cases are images of
    patients, so they are written beside the checkpoint and not into it. `verdicts` has the verdict of the audit of each
    collection, before anything was dropped.
    """
    name, network, history = output.resolve().name, trainer.trained_network(), trainer.state.log_history
    with replaced_together(output, key=files.CONFIG_FILE, owned=files.CHECKPOINT_FILES) as folder:
        predictor, measured = _save_with_decision(
            folder, setup, network, target=trainer.target, collections=collections
        )
        reported = [item.part(item.loaded.cohort.report_split) for item in measured]
        outputs = [Output(part.logits, part.features) for part in reported]
        evaluations = tuple(score(predictor, item, output=output) for item, output in zip(collections, outputs))
        notes = setup.model.card_notes
        record = ModelRecord(
            evaluations,
            name=name,
            cross_validations=cross_validations,
            collections=tuple(
                _collection_record(item.cohort, verdicts.get(item.cohort.name, ())) for item in collections
            ),
            training=describe_training(setup, network, history=history),
            notes=Path(notes).read_text(encoding="utf-8").strip() if notes else "",
            environment=describe_environment(),
        )
        write_record(folder, record)
        plot_learning_curves(history, folder / files.LEARNING_CURVES)
        plot_evaluation(evaluations, folder / files.EVALUATION_PLOT)
        plot_sensitivity_by_size(evaluations, folder / files.SIZE_CURVE)
        (folder / files.CARD_FILE).write_text(render_card(record, predictor.settings), encoding="utf-8")
        for path in folder.iterdir():
            path.chmod(0o644)  # safetensors lets only the owner read
    draw_worst_cases(evaluations, output.resolve().with_name(f"{name}-{WORST_CASES}"))
    return record


def write_record(folder: Path, record: AnyRecord) -> None:
    """Write `metrics.json`."""
    content = json.dumps(record.to_dict(), indent=2, allow_nan=False)
    (folder / files.METRICS_FILE).write_text(content + "\n", encoding="utf-8")


def describe_environment() -> dict[str, str]:
    """Return the versions of Python and of the packages that determine a training."""
    return {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}


def _save_with_decision(
    folder: Path, setup: TrainingSetup, network: Any, *, target: Target, collections: Sequence[LoadedCohort]
) -> tuple[Predictor, list[MeasuredCohort]]:
    """Save the network, choose its decision on held-out images, and return the predictor and what it computed."""
    seed = setup.training.seed
    settings = ModelSettings(
        target=target,
        preprocessing=collections[0].config,
        takes=describe_input(setup, collections),
        training_data=tuple(item.cohort.name for item in collections),
        split=setup.data.split,
        source_pattern=setup.data.source_pattern,
        patient_pattern=setup.data.patient_pattern or None,
        seed=seed,
    )
    save_network(folder, network, settings=settings, weights_dtype=setup.model.weights_dtype)
    raw = Predictor.from_pretrained(folder)
    measured = [measure(raw, item, seed=seed) for item in collections]
    decisions = choose_decisions(target, measured, sensitivity=setup.model.target_sensitivity)
    statistics, novelty = fit_rejection(target, measured, seed=seed)
    settings = replace(settings, decisions=decisions, novelty=novelty)
    (folder / files.SETTINGS_FILE).write_text(settings.to_json(), encoding="utf-8")
    save_file({"means": statistics.means, "whitening": statistics.whitening}, folder / files.NOVELTY_FILE)
    save_file(training_digests([item.cohort for item in collections]), folder / files.TRAINING_IMAGES_FILE)
    return Predictor(Checkpoint(folder, raw.model), raw.engine), measured


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

    The network is an image classifier of transformers in float32; its weights are rounded to `weights_dtype`, `float32`
    or `bfloat16`.
    """
    network.to(getattr(torch, weights_dtype)).save_pretrained(folder)
    network.to(torch.float32)
    config = folder / files.CONFIG_FILE
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
    (folder / files.SETTINGS_FILE).write_text(settings.to_json(), encoding="utf-8")
    export_onnx(network, folder / files.ONNX_FILE, image_size=preprocessing.image_size, weights_dtype=weights_dtype)
