"""Description of the model for the page: properties, limits and measured scores."""

from __future__ import annotations

from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.config import DISCLAIMER
from spinealign.errors import CheckpointError
from spinealign.inference.predictor import Predictor
from spinealign.reporting.evaluation_tables import summary_table
from spinealign.reporting.html import escape

_IS_NOT = (
    "Not a diagnosis: the scores below are all that is known about its accuracy.",
    "Not a reader of whole studies: it sees one slice at a time and nothing else.",
    "Not reliable on images unlike its training images: it can be wrong with high confidence.",
)


def describe_model(predictor: Predictor) -> str:
    """Return the properties, limits and scores of a model as HTML."""
    settings = predictor.settings
    trained = ", ".join(settings.training_data) or "not stated"
    novelty = "images unlike the training images are rejected" if settings.novelty else "not detected"
    facts = (
        ("Name", predictor.checkpoint.name),
        ("Classes", ", ".join(predictor.labels)),
        ("Trained on", trained),
        ("Calibration", " ".join(decision.note for decision in settings.decisions.values())),
        ("Unknown images", novelty),
        ("Input", f"{settings.preprocessing.image_size} x {settings.preprocessing.image_size} pixels"),
    )
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    warnings = "".join(f"<li>{escape(text)}</li>" for text in _IS_NOT)
    return (
        f'<div class="sa-card sa-about"><h2>What it is</h2><dl>{listed}</dl><h2>What it is not</h2>'
        f"<p><strong>{DISCLAIMER}</strong></p><ul>{warnings}</ul><h2>Measured performance</h2>"
        f"{_numbers(predictor.checkpoint)}</div>"
    )


def _numbers(checkpoint: Checkpoint) -> str:
    try:
        evaluations = checkpoint.record.evaluations
    except CheckpointError:  # treat unreadable scores as missing
        evaluations = ()
    if not evaluations:
        return (
            "<p>This model has no measured scores, so its accuracy is unknown. "
            "<code>spinealign evaluate</code> measures it.</p>"
        )
    warnings = "".join(f"<li>{escape(item.shortcut_warning)}</li>" for item in evaluations if item.shortcut_warning)
    return (
        f"{summary_table(evaluations).html()}"
        "<p>The naive interval treats each image as an independent patient; it is too narrow if images are copies of "
        "one slice. The thumbnail ridge is a linear model on 16 x 16 pixels: if its accuracy is close to that of the "
        f"model, the classes can be separated without fine detail.</p>{f'<ul>{warnings}</ul>' if warnings else ''}"
    )
