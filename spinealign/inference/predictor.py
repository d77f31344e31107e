"""Predict: a model, ready to be asked about slices."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from typing import overload

import numpy as np
from numpy.typing import NDArray

from spinealign.checkpoint.engines import NetworkEngine, Output, load_engine
from spinealign.checkpoint.finding import Checkpoint, Engine, find_checkpoint
from spinealign.config import POSITIVE_LABEL, ConditioningConfig, ModelSettings
from spinealign.errors import CheckpointError
from spinealign.imaging.preprocessing import condition
from spinealign.imaging.quality import quality_reasons
from spinealign.inference.occlusion import HeatMap, occlusion_map
from spinealign.inference.prediction import Prediction
from spinealign.metrics.novelty import NoveltyStatistics
from spinealign.reading.slices import SliceSource, read_slice

BATCH_SIZE = 8

logger = logging.getLogger(__name__)


class Predictor:
    """A checkpoint and the engine that runs it; safe to share between threads.

    Example:
        >>> from spinealign.phantoms.axial_neck import draw_phantom
        >>> predictor = Predictor.from_pretrained()
        >>> predictor(draw_phantom(1, fractured=False).slice).label
        'normal'
    """

    def __init__(self, checkpoint: Checkpoint, engine: NetworkEngine) -> None:
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
            CheckpointError: If there is no such checkpoint or revision, or it is incomplete or unsafe.
            MissingDependencyError: If torch is needed and not installed.
            ValueError: If the revision is empty.
        """
        checkpoint = find_checkpoint(model_id_or_folder, revision=revision, engine=engine)
        checkpoint.check()
        if checkpoint.is_plain:
            logger.warning(
                "%s knows nothing of spinealign: its probabilities are not calibrated, and it takes an image of "
                "anything for one of its classes.",
                checkpoint.model,
            )
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
    def settings(self) -> ModelSettings:
        """What travels beside the weights: conditioning, quality limits, decision and novelty."""
        return self.checkpoint.settings

    @property
    def conditioning(self) -> ConditioningConfig:
        """How a slice becomes `pixel_values`."""
        return self.settings.conditioning

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
        images = [read_slice(source) for source in sources]
        output = self.output(np.stack([condition(image, self.conditioning) for image in images]))
        reasons = [
            (*quality_reasons(image, self.settings.quality, enhancement=self.conditioning), *unknown)
            for image, unknown in zip(images, self._novelty_reasons(output.features))
        ]
        return [self._prediction(*row) for row in zip(self.calibrated(output.logits), reasons)]

    def _prediction(self, probabilities: NDArray[np.float64], reasons: tuple[str, ...]) -> Prediction:
        named = {label: float(value) for label, value in zip(self.labels, probabilities)}
        label = self.called(probabilities)
        return Prediction(label, named[label], named, self.model, accepted=not reasons, rejection_reasons=reasons)

    def called(self, probabilities: NDArray[np.floating]) -> str:
        """Return the class that is called, given the probability of each class, shape (classes,).

        Of a finding and its absence, the finding is called from the operating point on; of other classes, the most
        probable one.
        """
        if len(self.labels) == 2 and POSITIVE_LABEL in self.labels:
            index = self.labels.index(POSITIVE_LABEL)
            return self.labels[index if probabilities[index] >= self.settings.decision.operating_point else 1 - index]
        return self.labels[int(np.argmax(probabilities))]

    def _novelty_reasons(self, features: NDArray[np.float32] | None) -> Iterable[tuple[str, ...]]:
        distances = self.novelty(features)
        if distances is None or self.settings.novelty is None:
            return repeat(())
        limit = self.settings.novelty.threshold
        sentence = "unknown to the model: novelty {:.1f} (limit {:.1f})"
        return [(sentence.format(distance, limit),) if distance > limit else () for distance in distances]

    def novelty(self, features: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
        """Return how unlike the training images each image is, shape (N,); None where the model cannot tell.

        Args:
            features: What `output` gives, shape (N, F).
        """
        statistics = self.checkpoint.novelty
        return None if statistics is None or features is None else statistics.distance(features)

    def output(self, pixel_values: NDArray[np.float32]) -> Output:
        """Run the network.

        Args:
            pixel_values: Conditioned images of shape (N, C, H, W).

        Returns:
            Raw logits of shape (N, classes), and the features on which novelty is judged.

        Raises:
            CheckpointError: If the network computes another number of classes than its configuration names, no
                numbers, or not the features that its novelty statistics describe.
        """
        output = self.engine(pixel_values)
        if output.logits.shape[1] != len(self.labels):
            raise CheckpointError(
                f"{self.checkpoint.name} names {len(self.labels)} classes but computes {output.logits.shape[1]}."
            )
        if not np.isfinite(output.logits).all():
            raise CheckpointError(
                f"{self.checkpoint.name} computes no finite numbers; its weights are damaged. Fetch it again."
            )
        statistics = self.checkpoint.novelty
        if statistics is not None and not _fit(output.features, statistics):
            raise CheckpointError(
                f"The network of {self.checkpoint.name} does not give the features that its novelty statistics "
                "describe; fetch the whole checkpoint again."
            )
        return output

    def probabilities(self, pixel_values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the calibrated probability of each class.

        Args:
            pixel_values: Conditioned images of shape (N, C, H, W).

        Returns:
            Probabilities of shape (N, classes).

        Raises:
            CheckpointError: As for `output`.
        """
        return self.calibrated(self.output(pixel_values).logits)

    def calibrated(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return probabilities of shape (N, classes) for raw logits of the same shape."""
        scaled = logits.astype(np.float64) / self.settings.decision.temperature
        scores = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)

    def explain(self, source: SliceSource, *, label: str | None = None) -> HeatMap:
        """Show where the answer comes from: what it loses when a part of the image is covered.

        Args:
            source: Whatever `read_slice` reads.
            label: The class to explain; None takes the one that is called.

        Returns:
            The heat map; it works with any network and either engine.

        Raises:
            SliceError: If the image cannot be used.
            ValueError: If the model does not know the label.
        """
        return occlusion_map(self, read_slice(source), label=label)


def _fit(features: NDArray[np.float32] | None, statistics: NoveltyStatistics) -> bool:
    return features is not None and features.shape[1] == statistics.means.shape[1] and bool(np.isfinite(features).all())


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
