from __future__ import annotations

import csv
from io import StringIO

from spinealign.errors import ImageError
from spinealign.inference.prediction import Finding, Prediction
from spinealign.reporting.prediction_text import format_predictions, predictions_csv

GRADE = Finding("pfirrmann", "ordinal", "4", 0.62, {"3": 0.38, "4": 0.62}, expected_grade=3.62)
NARROWING = Finding("narrowing", "binary", "yes", 0.934, {"no": 0.066, "yes": 0.934}, is_positive=True)


def prediction(source, accepted=True, reasons=(), **more):
    shares = {"fracture": 0.934, "normal": 0.066}
    return Prediction("fracture", 0.934, shares, "model", accepted, reasons, source, **more)


def failed(source, message):
    error = ImageError(message)
    error.source = source
    return error


def test_predictions_and_errors_are_one_table():
    error = failed("b.png", "it is damaged, and the message is long.")
    items = [prediction("a.png"), error, prediction("long name.png", accepted=False, reasons=("too dark", "blurred"))]
    assert format_predictions(items).splitlines() == [
        "file           finding   confidence  accepted",
        "a.png          fracture  93.4%       yes",
        "b.png          error: it is damaged, and the message is long.",
        "long name.png  fracture  93.4%       no: too dark, blurred",
    ]


def test_notes_of_the_reader_follow_the_table():
    items = [prediction("a.png"), prediction("b.gif", notes=("The first of several frames.",))]
    assert format_predictions(items).splitlines()[2:] == [
        "b.gif  fracture  93.4%       yes",
        "b.gif: The first of several frames.",
    ]


def test_each_of_several_labels_has_a_line():
    items = [
        prediction("a.png", findings=(GRADE, NARROWING)),
        failed("b.png", "it is damaged."),
        prediction("c.png", accepted=False, reasons=("too dark",), findings=(GRADE, NARROWING)),
    ]
    assert format_predictions(items).splitlines() == [
        "file   label      finding  confidence  expected grade  accepted",
        "a.png  pfirrmann  4        62.0%       3.62            yes",
        "       narrowing  yes      93.4%",
        "b.png  error: it is damaged.",
        "c.png  pfirrmann  4        62.0%       3.62            no: too dark",
        "       narrowing  yes      93.4%",
    ]


def test_csv_has_all_values_and_no_formulas():
    shares = {"=normal": 0.25, "fracture": 0.75}
    rejected = Prediction("fracture", 0.75, shares, "m", False, ("too dark", "blurry"), "+a.png")
    head, first, second = csv.reader(StringIO(predictions_csv([rejected, failed("b.png", "-broken")])))
    assert head == [
        "source", "label", "confidence", "probability_=normal", "probability_fracture", "accepted",
        "rejection_reasons", "notes", "model", "error",
    ]  # fmt: skip
    assert first[:5] == ["'+a.png", "fracture", "0.750000", "0.250000", "0.750000"]
    assert first[5:] == ["False", "too dark; blurry", "", "m", ""]
    assert second == ["b.png", *[""] * 8, "'-broken"]
