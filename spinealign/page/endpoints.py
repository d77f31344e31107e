"""Named API endpoints: `/predict`, `/predict_batch` and `/explain`."""

from __future__ import annotations

from typing import Any

import gradio
import numpy as np
from PIL import Image

from spinealign.errors import SpineAlignError
from spinealign.imaging.drawing import overlay_heat
from spinealign.inference.predictor import Predictor
from spinealign.page import answers
from spinealign.page.images import data_url
from spinealign.page.limits import PREDICTIONS_AT_ONCE
from spinealign.page.uploads import Upload, slice_file

LANE = "predictions"  # everything that runs the network shares one concurrency limit


def add_endpoints(predictor: Predictor) -> None:
    """Add the endpoints to the page that is being built."""
    endpoints = _Endpoints(predictor)
    single, several = slice_file(visible=False), slice_file(several=True, visible=False)
    for function, source in (
        (endpoints.predict, single),
        (endpoints.predict_batch, several),
        (endpoints.explain, single),
    ):
        gradio.on(
            [],
            function,
            source,
            gradio.JSON(visible=False, label=function.__name__),
            api_name=function.__name__,
            concurrency_id=LANE,
            concurrency_limit=PREDICTIONS_AT_ONCE,
        )


class _Endpoints:
    """Functions of the endpoints; Gradio publishes their docstrings in the API description."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, image: Upload) -> dict[str, Any]:
        """Classify one slice. Research software, not a medical device.

        Args:
            image: A PNG, JPEG or DICOM file.

        Returns:
            Label, confidence, probabilities, findings, acceptance, reasons for rejection, and the model.
        """
        return _or_error(lambda: answers.answer(self._predictor, _given(image).read()).to_dict())

    def predict_batch(self, images: list[Upload]) -> list[dict[str, Any]]:
        """Classify several slices; a file that cannot be used does not affect the others.

        Args:
            images: PNG, JPEG or DICOM files.

        Returns:
            For each file, its name and the result of `predict`, or its name and an error.
        """
        rows = _or_error(lambda: list(answers.answer_all(self._predictor, images)))
        return [{"file": row.name, **row.to_dict()} for row in rows]

    def explain(self, image: Upload) -> dict[str, Any]:
        """Explain the prediction for one slice: how much the probability drops when a region is covered.

        Args:
            image: A PNG, JPEG or DICOM file.

        Returns:
            The explained label, row and column of the hottest point, and three PNG images as data URLs: the input of
            the network, the heat map in gray levels, and the heat map over the input.
        """
        return _or_error(lambda: _explained(self._predictor, _given(image)))


def _explained(predictor: Predictor, upload: Upload) -> dict[str, Any]:
    heat_map = predictor.explain(upload.read())
    levels = np.round(heat_map.heat * 255).astype(np.uint8)
    return {
        "label": heat_map.label,
        "hottest": list(heat_map.hottest),
        "image": data_url(Image.fromarray(heat_map.gray)),
        "heat": data_url(Image.fromarray(levels)),
        "picture": data_url(Image.fromarray(overlay_heat(heat_map.gray, heat_map.heat))),
    }


def _given(image: Upload | None) -> Upload:
    if image is None:
        raise SpineAlignError("Send a PNG, JPEG or DICOM file.")
    return image


def _or_error(answer: Any) -> Any:
    try:
        return answer()
    except SpineAlignError as error:
        raise gradio.Error(str(error), title="Request failed", print_exception=False) from error
