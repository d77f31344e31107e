"""Write the model card from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData
from transformers import TrainingArguments

from spinealign.cohort.cohort import Cohort
from spinealign.cohort.splitting import find_leaks
from spinealign.evaluation.evaluation import Evaluation, percent
from spinealign.evaluation.metrics import SizeBin
from spinealign.modeling.arguments import TrainingSetup

LEARNING_CURVES, SIZE_CURVE = "learning_curves.png", "sensitivity_by_size.png"
_METRICS = {
    "accuracy": "accuracy",
    "sensitivity": "recall",
    "specificity": "specificity",
    "precision": "precision",
    "f1": "f1",
    "auroc": "roc_auc",
}


def write_card(
    folder: Path, setup: TrainingSetup, *,
    cohorts: Sequence[Cohort], evaluations: Sequence[Evaluation], name: str, notes: str = "",
) -> None:  # fmt: skip
    """Write `README.md` with `model-index` into a checkpoint folder.

    Args:
        folder: The checkpoint.
        setup: What the training was told.
        cohorts: The collections it used, with their splits.
        evaluations: What was measured.
        name: Name of the model.
        notes: Markdown that is taken over: what the model can and cannot do, origin and licence.
    """
    sections = [
        f"---\n{_metadata(setup, evaluations, name).to_yaml()}\n---",
        f"# {name}",
        "A classifier of axial CT slices of the neck: `fracture` or `normal`. **It is a research tool, not a medical "
        "device; no decision about a person may rest on it.**",
        "## What was measured",
        _results_table(evaluations),
        "The interval takes the distinct source slices as trials, because copies of one slice say little that is new. "
        "The thumbnail ridge is a linear model that sees 16x16 pixels, too few for any fracture. "
        + _selection_note(setup, evaluations, cohorts),
        *(f"> **Warning.** {item.shortcut_warning}" for item in evaluations if item.shortcut_warning),
        *(_size_section(item) for item in evaluations if item.sensitivity_by_size),
        *([notes.strip()] if notes else []),
        "## Data",
        "\n".join(line for cohort in cohorts for line in _data_lines(cohort, setup.data.on_leakage)),
        "## Training",
        _training_text(setup),
        f"![Learning curves]({LEARNING_CURVES})",
        "## How to use",
        _usage(name),
    ]
    (folder / "README.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def backbone_name(setup: TrainingSetup) -> str:
    """Return the Hub id of the backbone, or the name of its folder without the path."""
    path = Path(setup.model.model_name_or_path)
    return path.resolve().name if path.is_dir() else setup.model.model_name_or_path


def _metadata(setup: TrainingSetup, evaluations: Sequence[Evaluation], name: str) -> ModelCardData:
    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type=item.collection.lower().replace(" ", "-"),
            dataset_name=item.collection,
            dataset_split=item.split,
            metric_type=hub_name,
            metric_name=f"{score} ({_evidence(item)})",
            metric_value=round(value, 6),
        )
        for item in evaluations
        for score, hub_name in _METRICS.items()
        if (value := item.scores.to_dict()[score]) is not None
    ]
    local = Path(setup.model.model_name_or_path).is_dir()
    return ModelCardData(
        model_name=name,
        library_name="transformers",
        pipeline_tag="image-classification",
        tags=["spinealign", "medical", "ct", "cervical-spine", "onnx"],
        base_model=None if local else setup.model.model_name_or_path,
        eval_results=results,
        ignore_metadata_errors=False,
    )


def _evidence(item: Evaluation) -> str:
    """Say in few words what the scores of an evaluation rest on."""
    low, high = item.accuracy_interval
    return (
        f"{item.images} images of {item.sources} distinct sources, accuracy's 95 % interval {low * 100:.1f} to "
        f"{high * 100:.1f} %, thumbnail ridge {percent(item.thumbnail_ridge_accuracy)}"
    )


def _results_table(evaluations: Sequence[Evaluation]) -> str:
    lines = [
        "| collection | split | images | distinct sources | accuracy | 95 % interval over sources | thumbnail ridge | "
        "sensitivity | specificity | F1 | AUROC |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for item in evaluations:
        scores, (low, high) = item.scores, item.accuracy_interval
        lines.append(
            f"| {item.collection} | {item.split} | {item.images} | {item.sources} | {percent(scores.accuracy)} | "
            f"{low * 100:.1f} to {high * 100:.1f} % | {percent(item.thumbnail_ridge_accuracy)} | "
            f"{percent(scores.sensitivity)} | {percent(scores.specificity)} | {_number(scores.f1)} | "
            f"{_number(scores.auroc)} |"
        )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _selection_note(setup: TrainingSetup, evaluations: Sequence[Evaluation], cohorts: Sequence[Cohort]) -> str:
    chosen_on = {cohort.name: cohort.selection_split for cohort in cohorts}
    seen = [f"{item.collection} ({item.split})" for item in evaluations if item.split == chosen_on[item.collection]]
    if not seen:
        return "No image of these splits was used to choose the epoch."
    epoch, decision = setup.training.load_best_model_at_end, setup.model.target_sensitivity is not None
    if not epoch and not decision:
        return "No image of these splits was used to choose the epoch."
    what = "epoch and the decision were" if epoch and decision else "epoch was" if epoch else "decision was"
    return f"The {what} chosen on {', '.join(seen)}, so the numbers there are optimistic."


def _size_section(item: Evaluation) -> str:
    rows = "\n".join(
        f"| {_range(entry)} | {entry.count} | {percent(entry.sensitivity)} |" for entry in item.sensitivity_by_size
    )
    return (
        f"### Sensitivity over the size of the finding, {item.collection} ({item.split})\n\n"
        f"| size in mm | findings | sensitivity |\n|---|---|---|\n{rows}\n| **3 and more** | | "
        f"**{percent(item.sensitivity_from(3.0))}** |\n\n![Sensitivity over size]({SIZE_CURVE})"
    )


def _range(entry: SizeBin) -> str:
    return f"{entry.from_mm:.0f} and more" if entry.to_mm is None else f"{entry.from_mm:.0f} to {entry.to_mm:.0f}"


def _data_lines(cohort: Cohort, on_leakage: str) -> list[str]:
    parts = [
        f"{split}: {len(cohort.part(split))} images of {len(cohort.part(split).sources)} sources"
        for split in cohort.splits
    ]
    lines = [f"- **{cohort.name}**: {'; '.join(parts)}."]
    shared = find_leaks(cohort)
    if shared:
        lines.append(
            f"  - **Leakage was kept** (`--on_leakage {on_leakage}`): {len(shared)} sources stand in more than one "
            "split, so the numbers above are not those of unseen slices."
        )
    return lines + [f"  - {line}" for line in cohort.skipped if "dropped copies" in line]


def _training_text(setup: TrainingSetup) -> str:
    training = setup.training
    start = "random weights in the shape of" if setup.model.from_scratch else "the pretrained weights of"
    return (
        f"Fine-tuned from {start} `{backbone_name(setup)}` for up to {training.num_train_epochs:g} epochs, learning "
        f"rate {training.learning_rate:g}, batch {training.per_device_train_batch_size}, seed {training.seed}; "
        f"class-weighted loss; {_kept_epoch(training)} is kept. {_decision_text(setup)}"
        f"Weights are stored as {setup.model.weights_dtype}."
    )


def _decision_text(setup: TrainingSetup) -> str:
    wanted = setup.model.target_sensitivity
    if wanted is None:
        return ""
    return (
        "Then the bias of the head was shifted, so that a probability of 0.5 is the highest threshold with a "
        f"sensitivity of {wanted:.0%} on the validation part of each collection. "
    )


def _kept_epoch(training: TrainingArguments) -> str:
    if not training.load_best_model_at_end:
        return "the last epoch"
    return (
        f"the epoch with the {'highest' if training.greater_is_better else 'lowest'} {training.metric_for_best_model}"
    )


def _usage(name: str) -> str:
    return (
        "```python\nimport spinealign\n\n"
        f'spinealign.predict("slice.png", model="path/to/{name.rsplit("/", maxsplit=1)[-1]}")\n'
        "```\n\nor with plain transformers:\n\n"
        "```python\nfrom transformers import pipeline\n\n"
        f'pipeline("image-classification", model="path/to/{name.rsplit("/", maxsplit=1)[-1]}")("slice.png")\n```'
    )
