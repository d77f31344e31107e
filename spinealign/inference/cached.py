"""Prediction with models that stay loaded between calls."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from typing import overload

from spinealign.checkpoint.finding import folder_version
from spinealign.errors import ImageError
from spinealign.inference.prediction import Prediction
from spinealign.inference.predictor import Predictor
from spinealign.reading.slices import SliceSource


@lru_cache(maxsize=4)
def _cached_predictor(model: str | None, _version: tuple[tuple[str, int], ...]) -> Predictor:
    return Predictor.from_pretrained(model)


@overload  # text and bytes are one source, although they can be iterated
def predict(  # type: ignore[overload-overlap]
    source: SliceSource, model: str | os.PathLike[str] | None = None
) -> Prediction: ...


@overload
def predict(
    source: Iterable[SliceSource], model: str | os.PathLike[str] | None = None
) -> list[Prediction | ImageError]: ...


def predict(
    source: SliceSource | Iterable[SliceSource], model: str | os.PathLike[str] | None = None
) -> Prediction | list[Prediction | ImageError]:
    """Predict one image, or each image of a list, tuple or generator. The model stays loaded for the next call.

    Args:
        source: A path, bytes, an open binary file, a Pillow image, an array of shape (H, W), or a Slice; or an
            iterable of these.
        model: Hub id or checkpoint folder; None for the embedded model.

    Returns:
        One prediction. For an iterable, a list with one item for each source, in order: a prediction, or the
        `ImageError` of an image that cannot be used, with its `source`.

    Raises:
        ImageError: If the only image cannot be used.
        CheckpointError: If the model cannot be used.
    """
    if model is None:
        return _cached_predictor(None, ())(source)
    return _cached_predictor(os.fspath(model), folder_version(os.fspath(model)))(source)
