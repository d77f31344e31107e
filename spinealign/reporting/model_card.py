"""Write the model card from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from spinealign.checkpoint.files import CARD_FILE, EVALUATION_PLOT, LEARNING_CURVES, SIZE_CURVE
from spinealign.checkpoint.record import TrainingRecord, selection_note
from spinealign.cohort.cohort import Cohort
from spinealign.metrics.evaluation import Evaluation, percent, units_of
from spinealign.networks.catalog import BACKBONES
from spinealign.reporting.card_sections import (
    abstention_section,
    data_section,
    decision_section,
    failure_section,
    intended_use_section,
    training_section,
    usage_section,
)
from spinealign.reporting.checklist import checklist_section
from spinealign.reporting.evaluation_text import SCORE_TITLES, format_interval, format_score
from spinealign.training.arguments import TrainingSetup

_HUB_NAMES = {
    "accuracy": "accuracy",
    "sensitivity": "recall",
    "specificity": "specificity",
    "ppv": "precision",
    "npv": "npv",
    "f1": "f1",
    "balanced_accuracy": "balanced_accuracy",
    "mcc": "matthews_correlation",
    "auroc": "roc_auc",
    "auprc": "average_precision",
    "brier": "brier_score",
    "ece": "expected_calibration_error",
}


def write_card(
    folder: Path, setup: TrainingSetup, *, record: TrainingRecord, cohorts: Sequence[Cohort], name: str
) -> None:
    """Write `README.md` with `model-index` into a checkpoint folder.

    Args:
        folder: The checkpoint.
        setup: What the training was told; its `card_notes` are taken over.
        record: What was measured.
        cohorts: The collections it used, with their splits.
        name: Name of the model.
    """
    notes = Path(setup.model.card_notes).read_text(encoding="utf-8").strip() if setup.model.card_notes else ""
    chosen = selection_note(cohorts, record.evaluations, epoch_was_chosen=setup.training.load_best_model_at_end)
    sections = [
        f"---\n{_metadata(setup, record.evaluations, name).to_yaml()}\n---",
        f"# {name}",
        "A classifier of axial CT slices of the neck: `fracture` or `normal`. **It is a research tool, not a medical "
        "device; no decision about a person may rest on it.**",
        _measured_section(record, chosen),
        *([notes] if notes else []),
        usage_section(name, setup),
        intended_use_section(),
        decision_section(record),
        abstention_section(record),
        failure_section(record, SIZE_CURVE),
        data_section(record, cohorts, on_leakage=setup.data.on_leakage),
        training_section(setup, record, learning_curves=LEARNING_CURVES),
        checklist_section(setup, record),
    ]
    (folder / CARD_FILE).write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _metadata(setup: TrainingSetup, evaluations: Sequence[Evaluation], name: str) -> ModelCardData:
    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type=item.collection.lower().replace(" ", "-"),
            dataset_name=item.collection,
            dataset_split=item.split,
            metric_type=_HUB_NAMES[score],
            metric_name=f"{SCORE_TITLES[score]} ({_evidence(item, score)})",
            metric_value=round(value, 6),
        )
        for item in evaluations
        for score, value in item.scores.to_dict().items()
        if value is not None
    ]
    backbone, pretrained = setup.model.model_name_or_path, not setup.model.from_scratch
    if backbone in BACKBONES and pretrained:
        backbone = BACKBONES[backbone].hub_id or backbone
    return ModelCardData(
        model_name=name,
        library_name="transformers",
        pipeline_tag="image-classification",
        tags=["spinealign", "medical", "ct", "cervical-spine", "onnx"],
        base_model=backbone if pretrained and "/" in backbone and not Path(backbone).is_dir() else None,
        eval_results=results,
        ignore_metadata_errors=False,
    )


def _evidence(item: Evaluation, score: str) -> str:
    """Say in few words what a score rests on."""
    ridge = item.thumbnail_ridge.scores.to_dict()[score] if item.thumbnail_ridge else None
    return (
        f"{item.images} images of {item.distinct}, 95 % interval over {item.unit}s "
        f"{format_interval(score, item.intervals[score])}, thumbnail ridge {format_score(score, ridge)}, "
        f"its accuracy {percent(item.thumbnail_ridge_accuracy)}"
    )


def _measured_section(record: TrainingRecord, chosen: str) -> str:
    warnings = [f"> [!WARNING]\n> {item.shortcut_warning}" for item in record.evaluations if item.shortcut_warning]
    folds = [item.pooled for item in record.cross_validations]
    units = units_of(record.evaluations)
    return "\n\n".join([
        "## What was measured",
        *warnings,
        _summary([*record.evaluations, *record.accepted, *folds]),
        f"The honest interval draws whole {units} (a bootstrap, never narrower than Wilson's interval with the {units} "
        "as trials), because further images of one say little that is new; the naive one takes every image for a new "
        "patient. The thumbnail ridge is a linear model that sees 16x16 pixels, too few for any fracture. "
        "*Accepted* are the images that the model does not reject as unknown. " + chosen,
        *(_all_scores(item) for item in record.evaluations),
        f"![ROC, precision-recall, reliability and confusion]({EVALUATION_PLOT})",
    ])  # fmt: skip


def _summary(evaluations: Sequence[Evaluation]) -> str:
    lines = [
        "| collection | split | images | distinct sources | accuracy | honest 95 % | naive 95 % | thumbnail ridge |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for item in evaluations:
        patients = f" ({item.units:,} patients)" if item.unit == "patient" else ""
        lines.append(
            f"| {item.collection} | {item.split} | {item.images:,} | {item.sources:,}{patients} | "
            f"{percent(item.scores.accuracy)} | {format_interval('accuracy', item.accuracy_interval)} | "
            f"{format_interval('accuracy', item.naive_intervals['accuracy'])} | "
            f"{percent(item.thumbnail_ridge_accuracy)} |"
        )
    return "\n".join(lines)


def _all_scores(item: Evaluation) -> str:
    rows = [
        f"| {SCORE_TITLES[name]} | {format_score(name, value)} | {format_interval(name, item.intervals[name])} | "
        f"{format_interval(name, item.naive_intervals[name])} | {_ridge_score(item, name)} |"
        for name, value in item.scores.to_dict().items()
    ]
    return (
        f"### {item.collection} ({item.split})\n\nA slice is called a fracture from a probability of "
        f"{item.threshold:.4g} on.\n\n"
        f"| score | value | 95 % over {item.unit}s | 95 % naive | thumbnail ridge |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
    )


def _ridge_score(item: Evaluation, name: str) -> str:
    return format_score(name, item.thumbnail_ridge.scores.to_dict()[name] if item.thumbnail_ridge else None)
