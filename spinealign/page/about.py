"""What the model is and is not, with its honest and naive numbers."""

from __future__ import annotations

from spinealign.checkpoint.finding import Checkpoint
from spinealign.config import DISCLAIMER
from spinealign.errors import CheckpointError
from spinealign.inference.predictor import Predictor
from spinealign.metrics.evaluation import percent
from spinealign.reporting.evaluation_text import format_interval
from spinealign.reporting.html import escape, table

_IS_NOT = (
    "No diagnosis: the numbers below are all that is known of it.",
    "No reader of whole studies: it sees one axial slice at a time, and only what stands in it.",
    "No judge of images unlike those that it was trained on: it may answer them with much confidence.",
)


def about(predictor: Predictor) -> str:
    """Return what the model is, what it is not, and what it scores."""
    settings = predictor.settings
    trained = ", ".join(settings.training_data) or "not said"
    novelty = "rejects images unlike its training images" if settings.novelty else "cannot tell unknown images"
    facts = (
        ("Name", predictor.checkpoint.name),
        ("Classes", ", ".join(predictor.labels)),
        ("Trained on", trained),
        ("Calibration", settings.decision.note),
        ("Unknown images", novelty),
        ("Input", f"{settings.conditioning.image_size} x {settings.conditioning.image_size} pixels"),
    )
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    warnings = "".join(f"<li>{escape(text)}</li>" for text in _IS_NOT)
    return (
        f'<div class="sa-card sa-about"><h2>What it is</h2><dl>{listed}</dl><h2>What it is not</h2>'
        f"<p><strong>{DISCLAIMER}</strong></p><ul>{warnings}</ul><h2>What its numbers are worth</h2>"
        f"{_numbers(predictor.checkpoint)}</div>"
    )


def _numbers(checkpoint: Checkpoint) -> str:
    try:
        evaluations = checkpoint.evaluations
    except CheckpointError:  # without numbers that can be read, a model has none
        evaluations = ()
    if not evaluations:
        return (
            "<p>This model brings no measured numbers, so nothing is known of how often it is right. "
            "<code>spinealign evaluate</code> measures it.</p>"
        )
    head = (
        "collection",
        "images",
        "distinct sources",
        "accuracy",
        "95 % over sources",
        "naive 95 %",
        "thumbnail ridge",
    )
    rows = [
        (
            escape(f"{item.collection} ({item.split})"),
            f"{item.images:,}",
            f"{item.sources:,}",
            percent(item.scores.accuracy),
            format_interval("accuracy", item.accuracy_interval),
            format_interval("accuracy", item.naive_intervals["accuracy"]),
            percent(item.thumbnail_ridge_accuracy),
        )
        for item in evaluations
    ]
    warnings = "".join(f"<li>{escape(item.shortcut_warning)}</li>" for item in evaluations if item.shortcut_warning)
    return (
        f"{table(head, rows, numbers=range(1, 7))}"
        "<p>The naive interval takes each image for a new patient; where images are copies of one slice, it is too "
        "narrow. The thumbnail ridge is a linear model on 16 x 16 pixels: where it comes close, the split is "
        f"solved without looking at bone.</p>{f'<ul>{warnings}</ul>' if warnings else ''}"
    )
