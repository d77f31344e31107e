"""Predictions for single images and for batches of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from spinealign.errors import ImageError, SpineAlignError
from spinealign.imaging.slice import Slice
from spinealign.inference.prediction import Prediction
from spinealign.inference.predictor import Predictor
from spinealign.page.limits import MAX_FILES


@dataclass(frozen=True)
class Row:
    """Result for one file of a batch.

    Attributes:
        name: File name as given by the client.
        prediction: Prediction of the model; None if the file cannot be used.
        error: Cause and remedy if the file cannot be used, or else None.
    """

    name: str
    prediction: Prediction | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction, or the error, as plain data for JSON."""
        return {"error": self.error} if self.prediction is None else self.prediction.to_dict()

    @property
    def item(self) -> Prediction | ImageError:
        """The prediction or the error, with the name of the file as its source."""
        if self.prediction is not None:
            return replace(self.prediction, source=self.name)
        error = ImageError(self.error)
        error.source = self.name
        return error


class Sent(Protocol):
    """File that a client sent."""

    @property
    def name(self) -> str:
        """File name as given by the client."""

    def read(self) -> Slice:
        """Read the image.

        Raises:
            ImageError: If the file cannot be used.
        """

    def delete(self) -> None:
        """Delete the stored content, if any."""


def answer(predictor: Predictor, image: Slice) -> Prediction:
    """Classify one image; the result does not contain a path of the server."""
    return replace(predictor(image), model=predictor.checkpoint.name)


def answer_all(predictor: Predictor, files: Sequence[Sent]) -> Iterator[Row]:
    """Classify several files, and delete all of them at the end, even if iteration stops early.

    Yields:
        One row for each file, in order.

    Raises:
        ImageError: If there are more than MAX_FILES files.
    """
    try:
        if len(files) > MAX_FILES:
            raise ImageError(f"Too many files: {len(files)}. Send at most {MAX_FILES} at once.")
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
