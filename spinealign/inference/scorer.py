"""Scores of a model: pixel values in; logits, probabilities, class and novelty out."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.engines import NetworkEngine, Output
from spinealign.checkpoint.settings import ModelSettings
from spinealign.config import PreprocessingConfig
from spinealign.errors import CheckpointError
from spinealign.inference.prediction import Finding
from spinealign.labels import Label, Target


class Scorer:
    """A checkpoint and the engine that runs it."""

    def __init__(self, checkpoint: Checkpoint, engine: NetworkEngine) -> None:
        self.checkpoint = checkpoint
        self.engine = engine

    def __repr__(self) -> str:
        kind, labels = self.target.problem_type, reprlib.repr(self.labels)
        return f"{type(self).__name__}({self.model!r}, {kind!r}, labels={labels}, engine={self.engine.name!r})"

    @property
    def model(self) -> str:
        """Name of the model, with the commit for models from the Hub."""
        return self.checkpoint.model

    @property
    def target(self) -> Target:
        """Labels that the model predicts."""
        return self.settings.target

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs in their order: classes, or with several labels those of `Target.outputs`."""
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
            Raw logits of shape (N, outputs), and the features from which novelty is measured.

        Raises:
            CheckpointError: If the network computes another number of outputs than `config.json` names, numbers that
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

    def probabilities(self, logits: NDArray[np.floating]) -> tuple[NDArray[np.float64], ...]:
        """Return the calibrated probabilities of the K classes of each label.

        Args:
            logits: Raw logits of shape (N, outputs).

        Returns:
            An array of shape (N, K) for each label.
        """
        temperatures = [self.settings.decisions[label.name].temperature for label in self.target.labels]
        return self.target.probabilities(logits, temperatures=temperatures)

    def find(self, label: Label, probabilities: NDArray[np.floating]) -> Finding:
        """Return the prediction of a label for the probabilities of its classes, shape (K,)."""
        named = {name: float(value) for name, value in zip(label.classes, probabilities)}
        is_positive = expected_grade = None
        found = label.classes[int(np.argmax(probabilities))]
        if label.positive is not None:
            is_positive = named[label.positive] >= self.settings.decisions[label.name].operating_point
            found = label.classes[label.positive_index if is_positive else 1 - label.positive_index]
        if label.kind == "ordinal":
            expected_grade = float(label.expected_grade(probabilities))
        return Finding(label.name, label.kind, found, named[found], named, is_positive, expected_grade)

    def log_odds(self, logits: NDArray[np.floating], outputs: Sequence[str]) -> NDArray[np.float64]:
        """Return the log-odds of some outputs, each against the other classes of its label.

        Args:
            logits: Raw logits of shape (N, outputs).
            outputs: Names of M outputs.

        Returns:
            Log-odds of shape (N, M).
        """
        parts, odds = self.target.class_logits(logits), []
        for name in outputs:
            label, place = self.target.places[self.labels.index(name)]
            others = np.delete(parts[label], place, axis=1)
            odds.append(parts[label][:, place] - np.logaddexp.reduce(others, axis=1))
        return np.stack(odds, axis=1)

    def measure_novelty(self, features: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
        """Return the distance of each image from the training images, shape (N,), for features of shape (N, F).

        The result is None without features or statistics.
        """
        statistics = self.checkpoint.novelty
        return None if statistics is None or features is None else statistics.distance(features)
