"""Predict: a model, ready to be asked about slices."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import overload

import numpy as np
from numpy.typing import NDArray

from spinealign.config import ConditioningConfig
from spinealign.errors import CheckpointError
from spinealign.imaging.conditioning import condition
from spinealign.imaging.reading import SliceSource, read_slice
from spinealign.inference.checkpoint import Checkpoint, Engine, find_checkpoint
from spinealign.inference.engines import LogitsEngine, load_engine
from spinealign.inference.prediction import Prediction

BATCH_SIZE = 8


class Predictor:
    """A checkpoint and the engine that runs it; safe to share between threads.

    Example:
        >>> from spinealign.imaging.phantom import draw_phantom
        >>> predictor = Predictor.from_pretrained()
        >>> predictor(draw_phantom(1, fractured=False).slice).label
        'normal'
    """

    def __init__(self, checkpoint: Checkpoint, engine: LogitsEngine) -> None:
        self.checkpoint = checkpoint
        self.engine = engine

    @classmethod
    def from_pretrained(
        cls,
        model_id_or_folder: str | os.PathLike[str] | None = None,
        revision: str | None = None,
        engine: Engine = "onnx",
    ) -> Predictor:
        """Load a model.

        Args:
            model_id_or_folder: A Hub id, a checkpoint folder, or None for the embedded default.
            revision: Branch, tag or commit on the Hub.
            engine: `onnx` (fast, small) or `torch`; a checkpoint without ONNX runs through torch.

        Raises:
            CheckpointError: If there is no such checkpoint, or it is incomplete or unsafe.
            MissingDependencyError: If torch is needed and not installed.
        """
        checkpoint = find_checkpoint(model_id_or_folder, revision=revision, engine=engine)
        checkpoint.check()
        return cls(checkpoint, load_engine(checkpoint, engine))

    @property
    def model(self) -> str:
        """Name of the model, with its commit where it came from the Hub."""
        return self.checkpoint.model

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.checkpoint.labels

    @property
    def conditioning(self) -> ConditioningConfig:
        """How a slice becomes `pixel_values`."""
        return self.checkpoint.settings.conditioning

    @overload
    def __call__(self, source: list[SliceSource]) -> list[Prediction]: ...

    @overload
    def __call__(self, source: SliceSource) -> Prediction: ...

    def __call__(self, source: SliceSource | list[SliceSource]) -> Prediction | list[Prediction]:
        """Predict one image, or a list of them.

        Args:
            source: Whatever `read_slice` reads, or a list of such.

        Returns:
            One prediction, or a list in the same order.

        Raises:
            SliceError: If an image cannot be used.
        """
        if isinstance(source, list):
            chunks = (source[start : start + BATCH_SIZE] for start in range(0, len(source), BATCH_SIZE))
            return [prediction for chunk in chunks for prediction in self._predict(chunk)]
        return self._predict([source])[0]

    def _predict(self, sources: Sequence[SliceSource]) -> list[Prediction]:
        conditioned = [condition(read_slice(source), self.conditioning) for source in sources]
        return [self._prediction(row) for row in self.probabilities(np.stack(conditioned))]

    def _prediction(self, probabilities: NDArray[np.float64]) -> Prediction:
        named = {label: float(value) for label, value in zip(self.labels, probabilities)}
        label = max(named, key=named.__getitem__)
        return Prediction(label, named[label], named, self.model)

    def probabilities(self, pixel_values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of each class.

        Args:
            pixel_values: Conditioned images of shape (N, C, H, W).

        Returns:
            Probabilities of shape (N, classes).

        Raises:
            CheckpointError: If the network computes another number of classes than its configuration names, or no
                numbers.
        """
        logits = self.engine(pixel_values).astype(np.float64)
        if logits.shape[1] != len(self.labels):
            raise CheckpointError(f"{self.model} names {len(self.labels)} classes but computes {logits.shape[1]}.")
        if not np.isfinite(logits).all():
            raise CheckpointError(f"{self.model} computes no finite numbers; its weights are damaged. Fetch it again.")
        scores = np.exp(logits - logits.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)


@lru_cache(maxsize=4)
def _cached_predictor(model: str | None, _version: tuple[tuple[str, int], ...]) -> Predictor:
    return Predictor.from_pretrained(model)


def _files(folder: str) -> tuple[tuple[str, int], ...]:
    """Return the files of a checkpoint folder with their times: a model that was trained anew is loaded anew."""
    if not os.path.isdir(folder):
        return ()
    with os.scandir(os.path.realpath(folder)) as entries:
        return tuple(sorted((entry.path, entry.stat(follow_symlinks=False).st_mtime_ns) for entry in entries))


def predict(source: SliceSource, model: str | os.PathLike[str] | None = None) -> Prediction:
    """Predict one image with a model that stays loaded.

    Args:
        source: A path, bytes, an open binary file, a Pillow image, an array of shape (H, W), or a Slice.
        model: A Hub id, a checkpoint folder, or None for the embedded default.

    Returns:
        The finding with its confidence.

    Raises:
        SliceError: If the image cannot be used.
        CheckpointError: If the model cannot be used.
    """
    if model is None:
        return _cached_predictor(None, ())(source)
    return _cached_predictor(os.fspath(model), _files(os.fspath(model)))(source)
