"""Novelty: distance of an image to the training images in the feature space of the network."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import require


@dataclass(frozen=True, eq=False)
class NoveltyStatistics:
    """Mahalanobis distance to the nearest group of training images (Lee et al., NeurIPS 2018).

    Attributes:
        means: Mean features of each group, float32 of shape (G, F).
        whitening: Whitening matrix of the covariance within the groups, float32 of shape (F, F).
    """

    means: NDArray[np.float32]
    whitening: NDArray[np.float32]

    def __post_init__(self) -> None:
        features = self.means.shape[-1]
        if self.means.ndim != 2 or self.whitening.shape != (features, features):
            raise ValueError(f"Shapes of means {self.means.shape} and whitening {self.whitening.shape} do not match.")
        if not (np.isfinite(self.means).all() and np.isfinite(self.whitening).all()):
            raise ValueError("The novelty statistics contain numbers that are not finite.")

    def distance(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the distances of images with features (N, F), about the square root of F for training images."""
        offsets = np.asarray(features, np.float64)[:, None, :] - self.means
        return np.sqrt(((offsets @ self.whitening) ** 2).sum(axis=2)).min(axis=1)


def fit_novelty(features: NDArray[np.floating], groups: Sequence[Hashable]) -> NoveltyStatistics:
    """Return the statistics of training images with features of shape (N, F).

    Each group of images, such as collection and class, has its mean; all share one covariance, shrunk by the rule of
    Ledoit and Wolf (J. Multivariate Anal. 88, 2004, 365).

    Raises:
        ValueError: If there are fewer than two images.
        MissingDependencyError: If scikit-learn is not installed.
    """
    require("sklearn", extra="evaluate")
    from sklearn.covariance import LedoitWolf

    features = np.asarray(features, np.float64)
    if len(features) < 2:
        raise ValueError(f"Expected at least two images, got {len(features)}.")
    names = np.array([str(group) for group in groups])
    means = {name: features[names == name].mean(axis=0) for name in np.unique(names)}
    residuals = features - np.stack([means[name] for name in names])
    covariance = LedoitWolf(assume_centered=True).fit(residuals).covariance_
    variances, directions = np.linalg.eigh(covariance)
    smallest = max(float(variances[-1]) * 1e-9, 1e-12)  # avoids a division by zero for constant features
    whitening = directions / np.sqrt(np.maximum(variances, smallest))
    return NoveltyStatistics(np.stack(list(means.values())).astype(np.float32), whitening.astype(np.float32))


def rejection_limit(distances: NDArray[np.floating], *, weights: NDArray[np.floating], share: float) -> float:
    """Return the smallest threshold that rejects at most `share` of the images, by distances and weights of shape (N,).

    It is the midpoint between the largest accepted distance and the smallest rejected one, so rounding changes nothing.

    Example:
        >>> rejection_limit(np.array([1.0, 2.0, 3.0, 4.0]), weights=np.ones(4), share=0.25)
        3.5
    """
    order = np.argsort(distances)
    ordered, within = distances[order], np.cumsum(weights[order]) / weights.sum()
    last = ordered[np.searchsorted(within, 1 - share - 1e-9)]
    beyond = ordered[ordered > last]
    return float((last + beyond[0]) / 2 if len(beyond) else last)
