"""Model card of a model that finds vertebrae."""

from __future__ import annotations

from spinealign.checkpoint.files import EVALUATION_PLOT, LEARNING_CURVES
from spinealign.checkpoint.vertebra_record import VertebraRecord
from spinealign.checkpoint.vertebra_settings import VertebraSettings
from spinealign.metrics.agreement import CLEAN, CROSS_VALIDATED, LARGE_ERROR_DEG
from spinealign.reporting.film_tables import agreement_table, large_errors_table, measures_table, published_scores
from spinealign.reporting.templates import render


def render_vertebra_card(record: VertebraRecord, settings: VertebraSettings) -> str:
    """Return the model card of a model that finds vertebrae; see `render_card`."""
    if record.training is None:
        raise ValueError("The record does not say how the model was trained, so it has no model card.")
    parts = {item.part for item in record.evaluations}
    return render(
        "vertebra_card.md.jinja",
        record=record,
        settings=settings,
        training=record.training,
        metadata=_metadata(record),
        agreements=agreement_table(record.evaluations),
        measures_table=measures_table,
        large_errors_table=large_errors_table,
        clean=CLEAN in parts,
        crossed=CROSS_VALIDATED in parts,
        shown=sum(item.shown for item in record.collections),
        limit=LARGE_ERROR_DEG,
        folder=f"path/to/{record.name.rsplit('/', maxsplit=1)[-1]}",
        evaluation_plot=EVALUATION_PLOT,
        learning_curves=LEARNING_CURVES,
    )


def _metadata(record: VertebraRecord) -> str:
    """Return the metadata of the card as YAML, with the scores of each set of films in the `model-index`."""
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="keypoint-detection",
            dataset_type=item.collection.lower().replace(" ", "-"),
            dataset_name=item.collection,
            dataset_split=item.part,
            metric_type=name,
            metric_name=f"{title} ({item.films} films of {item.groups} groups, 95 % interval over groups {interval})",
            metric_value=value,
        )
        for item in record.evaluations
        for name, title, value, interval in published_scores(item)
    ]
    return ModelCardData(
        model_name=record.name,
        library_name="transformers",
        pipeline_tag="keypoint-detection",
        tags=["spinealign", "medical", "spine", "x-ray", "scoliosis", "onnx"],
        eval_results=results,
        ignore_metadata_errors=False,
    ).to_yaml()
