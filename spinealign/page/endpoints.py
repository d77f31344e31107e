"""The named endpoints for programs: `/predict`, `/predict_batch` and `/explain`."""

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

LANE = "predictions"  # all that ask the network share one limit


def add_endpoints(predictor: Predictor) -> None:
    """Add the endpoints to the page that is being built.

    Args:
        predictor: The model that answers.
    """
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
    """What Gradio calls; it shows the docstrings to programs."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, image: Upload) -> dict[str, Any]:
        """Predict one axial CT slice of the neck: fracture or normal. Research software, not a medical device.

        Args:
            image: A PNG, JPEG or DICOM file.

        Returns:
            Label, confidence, probabilities, whether the image was accepted, why not, and the model.
        """
        return _or_error(lambda: answers.answer(self._predictor, _given(image).read()).to_dict())

    def predict_batch(self, images: list[Upload]) -> list[dict[str, Any]]:
        """Predict many axial CT slices of the neck; a file that cannot be used gives its error and never ends the rest.

        Args:
            images: PNG, JPEG or DICOM files.

        Returns:
            For each file its name and what `predict` returns, or its error.
        """
        rows = _or_error(lambda: list(answers.answer_all(self._predictor, images)))
        return [{"file": row.name, **row.to_dict()} for row in rows]

    def explain(self, image: Upload) -> dict[str, Any]:
        """Show where the answer for one axial CT slice comes from: what it loses when a part is covered.

        Args:
            image: A PNG, JPEG or DICOM file.

        Returns:
            The label that was explained, row and column of the hottest place, and pictures as data URLs: the image as
            the network saw it, the heat in gray levels, and both together.
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
        raise gradio.Error(str(error), title="This cannot be answered", print_exception=False) from error
