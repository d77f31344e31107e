from __future__ import annotations

from spinealign.errors import ImageError
from spinealign.inference.prediction import Prediction
from spinealign.reporting.prediction_text import format_predictions


def prediction(source, accepted=True, reasons=()):
    return Prediction("fracture", 0.934, {"fracture": 0.934, "normal": 0.066}, "model", accepted, reasons, source)


def test_predictions_and_errors_are_one_table():
    error = ImageError("it is damaged, and the message is long.")
    error.source = "b.png"
    items = [prediction("a.png"), error, prediction("long name.png", accepted=False, reasons=("too dark", "blurred"))]
    assert format_predictions(items).splitlines() == [
        "file           finding   confidence  accepted",
        "a.png          fracture  93.4%       yes",
        "b.png          error: it is damaged, and the message is long.",
        "long name.png  fracture  93.4%       no: too dark, blurred",
    ]
