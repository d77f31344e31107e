"""Where the model looked: how much its answer changes when a part of the image is covered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spinealign.checkpoint.engines import Output
from spinealign.config import ConditioningConfig
from spinealign.imaging.preprocessing import normalize, render, resize
from spinealign.imaging.slice import Slice

SIDE = 9 / 56  # of the covering square, as a share of the image's side
SQUARES = 18  # down and across; each pixel lies in about nine of them
COVERED = 72  # squares that are tried: those in which the blur takes most away
BLUR = 1 / 45  # of what covers, as a share of the image's side
SMOOTHING = 1 / 37  # of the map, as a share of the image's side: it evens out the steps between squares
BATCH_SIZE = 8  # more take much memory, for many people at once, and little less time


class Classifier(Protocol):
    """What can be explained: anything that gives logits for conditioned images."""

    @property
    def conditioning(self) -> ConditioningConfig:
        """How a slice becomes `pixel_values`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""

    def output(self, pixel_values: NDArray[np.float32]) -> Output:
        """Return raw logits of shape (N, classes), among others."""

    def calibrated(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return probabilities of shape (N, classes)."""

    def called(self, probabilities: NDArray[np.floating]) -> str:
        """Return the class that is called."""


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Occlusion sensitivity (Zeiler and Fergus, ECCV 2014).

    Attributes:
        gray: The image as the network saw it, uint8 of shape (S, S).
        heat: How much of the class's log-odds was lost when the place was covered, scaled from 0, where the answer did
            not suffer, to 1 at the hottest place, float32 of shape (S, S).
        label: The class that was explained.
    """

    gray: NDArray[np.uint8]
    heat: NDArray[np.float32]
    label: str

    @property
    def hottest(self) -> tuple[int, int]:
        """Row and column of the hottest place, in pixels of `heat`."""
        row, column = np.unravel_index(int(self.heat.argmax()), self.heat.shape)
        return int(row), int(column)


def occlusion_map(classifier: Classifier, image: Slice, *, label: str | None = None) -> HeatMap:
    """Blur one square of the image after the other and see how the answer changes.

    A blurred square hides detail and keeps the brightness, so that it draws no edges of its own. Squares without detail
    are left out: covering them changes nothing.

    Args:
        classifier: The model.
        image: The slice.
        label: The class to explain; None takes the one that is called.

    Returns:
        The map; it works with any network and either engine.

    Raises:
        ValueError: If the model does not know the label.
    """
    config, labels = classifier.conditioning, list(classifier.labels)
    if label is not None and label not in labels:
        raise ValueError(f"the model knows {', '.join(labels)}, not {label!r}.")
    gray = resize(render(image, config), config)
    intensity = gray.astype(np.float32) / np.float32(255)
    size = gray.shape[0]
    side = max(1, round(SIDE * size))
    corners = _most_detailed(_corners(size, side), intensity, side=side)
    images = [intensity, *_covered(intensity, corners, side)]
    chunks = [images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE)]
    logits = np.concatenate([
        classifier.output(np.stack([normalize(covered, config) for covered in chunk])).logits for chunk in chunks
    ]).astype(float)  # fmt: skip
    (whole,) = classifier.calibrated(logits[:1])
    index = labels.index(classifier.called(whole) if label is None else label)
    log_odds = logits[:, index] - np.logaddexp.reduce(np.delete(logits, index, axis=1), axis=1)
    losses = np.maximum(log_odds[0] - log_odds[1:], 0.0)
    return HeatMap(gray, _spread(losses, corners, side=side, size=size), labels[index])


def _corners(size: int, side: int) -> list[tuple[int, int]]:
    starts = [round(start) for start in np.linspace(0, size - side, SQUARES).tolist()]
    return [(top, left) for top in starts for left in starts]


def _most_detailed(
    corners: list[tuple[int, int]], intensity: NDArray[np.float32], *, side: int
) -> list[tuple[int, int]]:
    """Return the corners of the squares from which a blur takes most away."""
    lost = np.abs(intensity - _blurred(intensity, BLUR))
    detail = [float(lost[top : top + side, left : left + side].mean()) for top, left in corners]
    return [corners[place] for place in np.argsort(detail, kind="stable")[::-1][:COVERED]]


def _covered(
    intensity: NDArray[np.float32], corners: list[tuple[int, int]], side: int
) -> Iterator[NDArray[np.float32]]:
    blurred = _blurred(intensity, BLUR)
    for top, left in corners:
        image = intensity.copy()
        image[top : top + side, left : left + side] = blurred[top : top + side, left : left + side]
        yield image


def _blurred(image: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Blur a square image by a Gaussian whose width is a share of its side; at the edges it weighs what is there."""
    places = np.arange(len(image))
    weights = np.exp(-(((places[:, None] - places) / (share * len(image))) ** 2) / 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return (weights @ image @ weights.T).astype(np.float32)


def _spread(
    losses: NDArray[np.float64], corners: list[tuple[int, int]], *, side: int, size: int
) -> NDArray[np.float32]:
    """Average the losses of all squares that cover a pixel, tried or not, smooth them, and scale the highest to 1."""
    total, count = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    for top, left in _corners(size, side):
        count[top : top + side, left : left + side] += 1
    for loss, (top, left) in zip(losses, corners):
        total[top : top + side, left : left + side] += loss
    mean = total / count
    if not mean.max() > 0:
        return np.zeros((size, size), np.float32)
    heat = _blurred(mean / mean.max(), SMOOTHING)
    return np.clip(heat / heat.max(), 0, 1).astype(np.float32)
