"""From an image to what is shown, step by step, and from many files to rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any, Protocol

from spinealign.errors import SliceError, SpineAlignError
from spinealign.imaging.slice import Slice
from spinealign.inference.prediction import Prediction
from spinealign.inference.predictor import Predictor
from spinealign.page.limits import MAX_FILES

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Row:
    """What became of one file of a batch.

    Attributes:
        name: What the person calls the file.
        prediction: What the model says, or None.
        error: What is wrong and what to do, or None.
    """

    name: str
    prediction: Prediction | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what the model says, or what is wrong, as plain data for JSON."""
        return {"error": self.error} if self.prediction is None else self.prediction.to_dict()


class Sent(Protocol):
    """A file that somebody sent."""

    @property
    def name(self) -> str:
        """What the person calls it."""

    def read(self) -> Slice:
        """Read the image, or raise a SliceError."""

    def delete(self) -> None:
        """Delete what is kept of it."""


def answer(predictor: Predictor, image: Slice) -> Prediction:
    """Predict one image; the answer names no folder of this machine."""
    return replace(predictor(image), model=predictor.checkpoint.name)


def answer_all(predictor: Predictor, files: Sequence[Sent]) -> Iterator[Row]:
    """Predict many files; one bad file never ends the rest, and none is left when the rows are no longer wanted.

    Yields:
        One row for each file, in order.

    Raises:
        SliceError: If there are too many.
    """
    try:
        if len(files) > MAX_FILES:
            raise SliceError(f"{len(files)} files are too many at once; send at most {MAX_FILES}.")
        for file in files:
            yield _row(predictor, file)
    finally:
        for file in files:
            file.delete()


def _row(predictor: Predictor, file: Sent) -> Row:
    try:
        return Row(file.name, answer(predictor, file.read()))
    except SpineAlignError as error:
        return Row(file.name, error=str(error))


def to_csv(rows: Sequence[Row], labels: Sequence[str]) -> str:
    """Write rows as CSV; a text that a spreadsheet would take for a formula is marked as text.

    Args:
        rows: What became of each file.
        labels: Names of the classes.
    """
    stream = StringIO()
    writer = csv.writer(stream)
    writer.writerow(["file", "finding", "confidence", *map(_as_text, labels), "accepted", "reasons", "error", "model"])
    for row in rows:
        found = row.prediction
        if found is None:
            writer.writerow([_as_text(row.name), "", "", *[""] * len(labels), "", "", _as_text(row.error or ""), ""])
            continue
        shares = [f"{found.probabilities[label]:.6f}" for label in labels]
        accepted = "yes" if found.accepted else "no"
        reasons = _as_text("; ".join(found.rejection_reasons))
        name, label, model = map(_as_text, (row.name, found.label, found.model))
        writer.writerow([name, label, f"{found.confidence:.6f}", *shares, accepted, reasons, "", model])
    return stream.getvalue()


def _as_text(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
