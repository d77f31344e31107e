"""Model card of a model that measures sagittal MR."""

from __future__ import annotations

from spinealign.checkpoint.files import EVALUATION_PLOT, LEARNING_CURVES
from spinealign.checkpoint.sagittal_record import SagittalRecord
from spinealign.checkpoint.sagittal_settings import SagittalSettings
from spinealign.metrics.value_agreement import Figure
from spinealign.reporting.slice_tables import FIGURES, figures_table, parts_of, values_table
from spinealign.reporting.templates import render

HEADLINE = "dice_per_body"  # score of each source in the metadata
PUBLISHED = (
    HEADLINE, "dice_disc", "dice_canal", "bodies_found", "l5_certain", "l5_right_if_certain", "falsely_named",
)  # fmt: skip
SPLIT = "cross-validation"


def render_sagittal_card(record: SagittalRecord, settings: SagittalSettings) -> str:
    """Return the model card of a model that measures sagittal MR; see `render_card`."""
    if record.training is None:
        raise ValueError("The record does not say how the model was trained, so it has no model card.")
    return render(
        "sagittal_card.md.jinja",
        record=record,
        settings=settings,
        training=record.training,
        metadata=_metadata(record),
        figures_table=figures_table,
        parts_of=parts_of,
        values_table=values_table,
        folder=f"path/to/{record.name.rsplit('/', maxsplit=1)[-1]}",
        evaluation_plot=EVALUATION_PLOT,
        learning_curves=LEARNING_CURVES,
    )


def published_figures(record: SagittalRecord) -> list[Figure]:
    """Return the figures that the `model-index` of a card states."""
    return [item for evaluation in record.evaluations for item in evaluation.figures if item.name in PUBLISHED]


def _metadata(record: SagittalRecord) -> str:
    """Return the metadata of the card as YAML."""
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="image-segmentation",
            dataset_type=item.part.lower().replace(" ", "-"),
            dataset_name=item.part,
            dataset_split=SPLIT,
            metric_type=item.name,
            metric_name=f"{FIGURES[item.name][0]} ({item.count} of {item.patients} patients, 95 % interval over "
            f"patients {item.estimate.low:.3f} to {item.estimate.high:.3f})",
            metric_value=round(item.estimate.value, 6),
        )
        for item in published_figures(record)
    ]
    return ModelCardData(
        model_name=record.name,
        library_name="transformers",
        pipeline_tag="image-segmentation",
        tags=["spinealign", "medical", "spine", "mri", "lumbar", "onnx"],
        eval_results=results or None,
        ignore_metadata_errors=False,
    ).to_yaml()
