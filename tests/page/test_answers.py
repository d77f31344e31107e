from __future__ import annotations

import csv
from io import StringIO

from spinealign.inference.prediction import Prediction
from spinealign.page.answers import Row, to_csv


def test_the_csv_has_all_values_and_no_formulas():
    shares = {"=normal": 0.25, "fracture": 0.75}
    rejected = Prediction("fracture", 0.75, shares, "m", accepted=False, rejection_reasons=("too dark", "blurry"))
    text = to_csv([Row("+a.png", rejected), Row("b.png", error="-broken")], list(shares))
    head, first, second = csv.reader(StringIO(text))
    assert head == ["file", "finding", "confidence", "'=normal", "fracture", "accepted", "reasons", "error", "model"]
    assert first == ["'+a.png", "fracture", "0.750000", "0.250000", "0.750000", "no", "too dark; blurry", "", "m"]
    assert second == ["b.png", "", "", "", "", "", "", "'-broken", ""]
