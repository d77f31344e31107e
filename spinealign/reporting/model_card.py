"""Model card, rendered from the record and the settings of a model."""

from __future__ import annotations

from spinealign.checkpoint.checkpoint import AnyRecord, AnySettings
from spinealign.checkpoint.files import EVALUATION_PLOT, LEARNING_CURVES, SIZE_CURVE
from spinealign.checkpoint.record import ModelRecord
from spinealign.checkpoint.sagittal_record import SagittalRecord
from spinealign.checkpoint.sagittal_settings import SagittalSettings
from spinealign.checkpoint.settings import ModelSettings
from spinealign.checkpoint.vertebra_record import VertebraRecord
from spinealign.checkpoint.vertebra_settings import VertebraSettings
from spinealign.labels import Target
from spinealign.metrics.evaluation import Evaluation, units_of
from spinealign.metrics.registry import format_interval, format_score, hub_name, percent, score_title
from spinealign.reporting.evaluation_tables import (
    describe_errors,
    matrix_table,
    parts_tables,
    scores_table,
    size_table,
    summary_table,
)
from spinealign.reporting.markdown import Markdown, escape
from spinealign.reporting.sagittal_card import render_sagittal_card
from spinealign.reporting.templates import render
from spinealign.reporting.vertebra_card import render_vertebra_card


def render_card(record: AnyRecord, settings: AnySettings) -> str:
    """Return the model card of a model with these settings, both of the same task.

    Text of the record is escaped, so that names cannot break tables or headings; only the owner's notes and the
    command line are inserted unchanged.

    Raises:
        ValueError: If the record does not say how the model was trained.
    """
    if isinstance(record, VertebraRecord) and isinstance(settings, VertebraSettings):
        return render_vertebra_card(record, settings)
    if isinstance(record, SagittalRecord) and isinstance(settings, SagittalSettings):
        return render_sagittal_card(record, settings)
    if not isinstance(record, ModelRecord) or not isinstance(settings, ModelSettings):
        raise TypeError("The record and the settings are of different tasks.")
    if record.training is None:
        raise ValueError("The record does not say how the model was trained, so it has no model card.")
    summary = [
        *record.evaluations,
        *(item.accepted for item in record.evaluations if item.accepted),
        *(item.pooled for item in record.cross_validations),
    ]
    return render(
        "model_card.md.jinja",
        record=record,
        settings=settings,
        training=record.training,
        metadata=_metadata(record, record.training.base_model),
        predicts=_describe(settings.target),
        reports=" and ".join(label.positive or label.name for label in settings.target.labels)
        if settings.target.has_several or settings.target.problem_type == "binary"
        else "these classes",
        summary=summary_table(summary),
        scores_section=_scores_section,
        describe_errors=describe_errors,
        size_table=size_table,
        units=units_of(record.evaluations),
        folder=f"path/to/{record.name.rsplit('/', maxsplit=1)[-1]}",
        evaluation_plot=EVALUATION_PLOT,
        size_curve=SIZE_CURVE,
        learning_curves=LEARNING_CURVES,
    )


def _describe(target: Target) -> str:
    """Return what a model predicts as a sentence."""
    described = [
        f"{label.name} ({label.kind.replace('_', '-')}: {', '.join(label.classes)})" for label in target.labels
    ]
    if target.has_several:
        return f"A classifier of single images of the spine with the labels {'; '.join(described)}."
    (label,) = target.labels
    if label.kind == "binary":
        return f"A classifier of single images of the spine with the positive class {label.positive}."
    kind = "grades" if label.kind == "ordinal" else "classes"
    return f"A classifier of single images of the spine into the {kind} {', '.join(label.classes)}."


def _scores_section(item: Evaluation) -> Markdown:
    """Return the rule of the decision and the tables of an evaluation."""
    rule = "The scores are means over the labels for which they are defined."
    if item.kind == "binary":
        named = escape(item.finding)
        rule = f"An image is classified as {named} if the probability is at least {item.threshold:.4g}."
    elif not item.has_several:
        rule = "The most probable class is predicted."
    if item.missing:
        rule += f" Images without a value that were left out: {item.missing:,}."
    tables = [scores_table(item), *parts_tables(item), *([matrix_table(item)] if item.matrix else [])]
    return Markdown("\n\n".join([rule, *(table.markdown() for table in tables)]))


def _metadata(record: ModelRecord, base_model: str | None) -> str:
    """Return the metadata of the card as YAML, with every score in the `model-index`: one result for each label."""
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type=whole.collection.lower().replace(" ", "-"),
            dataset_name=whole.collection,
            dataset_config=None if item is whole else item.label,
            dataset_split=whole.split,
            metric_type=hub_name(score),
            metric_name=f"{score_title(score)} ({_evidence(item, score)})",
            metric_value=round(value, 6),
        )
        for whole in record.evaluations
        for item in ((whole, *whole.parts) if whole.has_several else (whole,))
        for score, value in item.scores.items()
        if value is not None
    ]
    return ModelCardData(
        model_name=record.name,
        library_name="transformers",
        pipeline_tag="image-classification",
        tags=["spinealign", "medical", "spine", "onnx"],
        base_model=base_model,
        eval_results=results,
        ignore_metadata_errors=False,
    ).to_yaml()


def _evidence(item: Evaluation, score: str) -> str:
    """Return sample size, interval and baseline of a score."""
    ridge = item.thumbnail_ridge.scores.get(score) if item.thumbnail_ridge else None
    return (
        f"{item.size}, 95 % interval over {item.unit}s "
        f"{format_interval(score, item.intervals[score])}, thumbnail ridge {format_score(score, ridge)}, "
        f"its accuracy {percent(item.thumbnail_ridge_accuracy)}"
    )
