"""Predictions of one label under many weightings of the images, as a bootstrap draws them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spinealign.labels import Kind

_Floats = NDArray[np.float64]


class WeightedPredictions:
    """Predictions of one label under D weightings of the images.

    A weight of 3 has the same effect as three copies of the image. One bootstrap draw is one row of weights, so a
    thousand draws cost one sort and a few matrix products.

    Args:
        kind: Kind of the label; class 1 of a binary one is the positive class.
        codes: True class of each image, shape (N,).
        probabilities: Predicted probabilities of the classes in [0, 1], shape (N, K).
        called: Predicted class of each image, shape (N,); None for the most probable one.
        weights: Weights of the images, at least 0, shape (D, N); None weights all equally, with D = 1.

    Raises:
        ValueError: If the shapes differ, there are no images, a class is missing or a probability is not in [0, 1].
    """

    def __init__(
        self,
        kind: Kind,
        codes: NDArray[np.integer],
        probabilities: NDArray[np.floating],
        *,
        called: NDArray[np.integer] | None = None,
        weights: NDArray[np.number] | None = None,
    ) -> None:
        self.kind = kind
        self.codes, self.probabilities = np.asarray(codes, np.int64), np.asarray(probabilities, np.float64)
        if self.probabilities.ndim != 2 or self.codes.shape != self.probabilities.shape[:1] or not len(self.codes):
            shapes = f"{self.codes.shape} and {self.probabilities.shape}"
            raise ValueError(f"Expected the classes and the probabilities of the same images, got shapes {shapes}.")
        if not ((self.probabilities >= 0) & (self.probabilities <= 1)).all():  # NaN fails too
            raise ValueError("Expected probabilities in [0, 1], not logits.")
        self.classes = self.probabilities.shape[1]
        if not ((self.codes >= 0) & (self.codes < self.classes)).all():
            raise ValueError(f"Expected classes from 0 to {self.classes - 1}; leave images without a class out.")
        self.called = self.probabilities.argmax(axis=1) if called is None else np.asarray(called, np.int64)
        self.weights = np.ones((1, len(self.codes))) if weights is None else np.asarray(weights, np.float64)

    @classmethod
    def binary(
        cls,
        positive: NDArray[np.bool_],
        probability: NDArray[np.floating],
        *,
        threshold: float = 0.5,
        weights: NDArray[np.number] | None = None,
    ) -> WeightedPredictions:
        """Return the predictions of a binary label, from presence and probability of the finding, both of shape (N,).

        `threshold` is the smallest probability that is classified as positive.
        """
        probability = np.asarray(probability, np.float64)
        both = np.stack([1 - probability, probability], axis=-1)
        return cls(
            "binary", np.asarray(positive), both, called=(probability >= threshold).astype(np.int64), weights=weights
        )

    def reweighted(self, weights: NDArray[np.number]) -> WeightedPredictions:
        """Return the same predictions with other weights."""
        return WeightedPredictions(self.kind, self.codes, self.probabilities, called=self.called, weights=weights)

    @cached_property
    def one_vs_rest(self) -> tuple[WeightedPredictions, ...]:
        """Predictions of each class against all others."""
        return tuple(
            WeightedPredictions(
                "binary",
                self.codes == code,
                np.stack([1 - probability, probability], axis=1),
                called=(self.called == code).astype(np.int64),
                weights=self.weights,
            )
            for code, probability in enumerate(self.probabilities.T)
        )

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Whether each image shows the finding of a binary label, shape (N,)."""
        return self.codes == 1

    @property
    def probability(self) -> _Floats:
        """Probability of the finding of a binary label, shape (N,)."""
        return self.probabilities[:, 1]

    @cached_property
    def total(self) -> _Floats:
        """Sum of the weights, shape (D,)."""
        return self.weights.sum(axis=1)

    @cached_property
    def confusion(self) -> _Floats:
        """Weight of the images of each true class (rows) in each predicted class, shape (D, K, K)."""
        cells = np.zeros((len(self.codes), self.classes**2))
        cells[np.arange(len(self.codes)), self.codes * self.classes + self.called] = 1
        return (self.weights @ cells).reshape(-1, self.classes, self.classes)

    @cached_property
    def hits(self) -> _Floats:
        """Weight of the correctly classified images of each class, shape (D, K)."""
        return np.diagonal(self.confusion, axis1=1, axis2=2)

    @cached_property
    def true(self) -> _Floats:
        """Weight of the images of each class, shape (D, K)."""
        return self.confusion.sum(axis=2)

    @cached_property
    def predicted(self) -> _Floats:
        """Weight of the images classified as each class, shape (D, K)."""
        return self.confusion.sum(axis=1)

    def mean_over_classes(self, values: _Floats) -> _Floats:
        """Return the mean over the classes with images, shape (D,), for values of shape (D, K).

        It is NaN where fewer than two classes have images.
        """
        present = self.true > 0
        count = present.sum(axis=1)
        return np.where(count > 1, np.where(present, values, 0).sum(axis=1) / count, np.nan)

    @cached_property
    def ranking(self) -> tuple[_Floats, _Floats]:
        """Weights of positives and of negatives at each distinct probability, highest first, both of shape (D, R)."""
        order = np.argsort(-self.probability, kind="stable")
        first_of_rank = np.flatnonzero(np.diff(self.probability[order], prepend=np.inf))
        sorted_weights = self.weights[:, order]
        at_rank = np.add.reduceat(sorted_weights, first_of_rank, axis=1)
        positives = np.add.reduceat(sorted_weights * self.positive[order], first_of_rank, axis=1)
        return positives, at_rank - positives
