"""Scores of a model: pixel values in; logits, probabilities, class and novelty out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.engines import NetworkEngine, Output
from spinealign.checkpoint.settings import ModelSettings
from spinealign.config import PreprocessingConfig
from spinealign.errors import CheckpointError


class Scorer:
    """A checkpoint and the engine that runs it."""

    def __init__(self, checkpoint: Checkpoint, engine: NetworkEngine) -> None:
        self.checkpoint = checkpoint
        self.engine = engine

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r}, engine={self.engine.name!r})"

    @property
    def model(self) -> str:
        """Name of the model, with the commit for models from the Hub."""
        return self.checkpoint.model

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in the order of the logits."""
        return self.checkpoint.labels

    @property
    def settings(self) -> ModelSettings:
        """Settings stored with the weights."""
        return self.checkpoint.settings

    @property
    def preprocessing(self) -> PreprocessingConfig:
        """Steps from a slice to `pixel_values`."""
        return self.settings.preprocessing

    def run(self, pixel_values: NDArray[np.float32]) -> Output:
        """Run the network.

        Args:
            pixel_values: Preprocessed images of shape (N, C, H, W).

        Returns:
            Raw logits of shape (N, classes), and the features from which novelty is measured.

        Raises:
            CheckpointError: If the network computes another number of classes than `config.json` names, numbers that
                are not finite, or features that do not fit the novelty statistics.
        """
        output, checkpoint = self.engine(pixel_values), self.checkpoint
        if output.logits.shape[1] != len(self.labels):
            raise CheckpointError(
                f"{checkpoint.name} names {len(self.labels)} classes but computes {output.logits.shape[1]}."
            )
        if not np.isfinite(output.logits).all():
            raise CheckpointError(
                f"{checkpoint.name} computes numbers that are not finite; its weights are damaged: {checkpoint.remedy}."
            )
        features, statistics = output.features, checkpoint.novelty
        if statistics is not None and (
            features is None or features.shape[1] != statistics.means.shape[1] or not np.isfinite(features).all()
        ):
            raise CheckpointError(
                f"The features of {checkpoint.name} do not fit its novelty statistics; {checkpoint.remedy}."
            )
        return output

    def calibrate(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return calibrated probabilities of shape (N, classes) for raw logits of the same shape."""
        scaled = logits.astype(np.float64) / self.settings.decision.temperature
        scores = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)

    def decide(self, probabilities: NDArray[np.floating]) -> str:
        """Return the predicted class for the probability of each class, shape (classes,).

        A binary model predicts the positive class from the operating point on; other models predict the most probable
        class.
        """
        labels, positive = self.labels, self.settings.positive_class
        if len(labels) == 2 and positive in labels:
            index = labels.index(positive)
            return labels[index if probabilities[index] >= self.settings.decision.operating_point else 1 - index]
        return labels[int(np.argmax(probabilities))]

    def measure_novelty(self, features: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
        """Return the distance of each image from the training images, shape (N,), for features of shape (N, F).

        The result is None without features or statistics.
        """
        statistics = self.checkpoint.novelty
        return None if statistics is None or features is None else statistics.distance(features)
