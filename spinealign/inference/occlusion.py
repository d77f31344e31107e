"""Occlusion sensitivity: how much a prediction depends on each part of the image."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

SIDE = 9 / 56  # side of the covering square, as a share of the image's side
SQUARES = 18  # positions down and across; about nine squares cover each pixel
COVERED = 72  # number of squares that are tried: those with the most detail
BLUR = 1 / 45  # sigma of the covering blur, as a share of the image's side
SMOOTHING = 1 / 37  # sigma of the blur over the map, as a share of the image's side; removes steps between squares
BATCH_SIZE = 8  # larger batches need much more memory and save little time


Square: TypeAlias = tuple[slice, slice]


@dataclass(frozen=True, eq=False, repr=False)
class HeatMap:
    """Occlusion sensitivity of one image (Zeiler and Fergus, ECCV 2014).

    Attributes:
        gray: Input of the network, uint8 of shape (S, S).
        heat: Loss of log-odds of the output when the pixel is covered, from 0 (no loss) to 1 (largest loss), float32 of
            shape (S, S).
        label: Output that is explained: a class, or with several labels such as `pfirrmann=4` or `narrowing`.
        confidence: Probability of this output in [0, 1]; None if unknown.
        accepted: Whether the prediction was accepted.
        source: Path of the image, or the kind of object.
    """

    gray: NDArray[np.uint8]
    heat: NDArray[np.float32]
    label: str
    confidence: float | None = None
    accepted: bool = True
    source: str = ""

    def __repr__(self) -> str:
        height, width = self.heat.shape
        return f"HeatMap({height} x {width} pixels, label={self.label!r}, source={self.source!r})"

    @property
    def hottest(self) -> tuple[int, int]:
        """Row and column of the hottest pixel of `heat`."""
        row, column = np.unravel_index(int(self.heat.argmax()), self.heat.shape)
        return int(row), int(column)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a PNG with the image, the heat map over it, and a caption; an existing file is replaced."""
        from spinealign.imaging.drawing import save_picture
        from spinealign.reporting.heat_maps import draw_heat_maps

        save_picture(draw_heat_maps([self]), Path(path))


def occlusion_maps(
    gray: NDArray[np.uint8], log_odds: Callable[[NDArray[np.float32]], NDArray[np.float64]]
) -> NDArray[np.float32]:
    """Blur one square of the image after another and measure how much the log-odds of M classes fall.

    A blurred square hides detail but keeps the brightness, so it adds no edges. Squares with little detail are
    skipped, because blurring them changes little.

    Args:
        gray: The image, of shape (S, S).
        log_odds: Function that returns the log-odds of the classes, shape (N, M), for intensities in [0, 1] of shape
            (N, S, S).

    Returns:
        Heat in [0, 1] of shape (M, S, S).
    """
    intensity = gray.astype(np.float32) / np.float32(255)
    blurred = _blurred(intensity, BLUR)
    squares, lost = _squares(len(gray)), np.abs(intensity - blurred)
    order = np.argsort([lost[square].mean() for square in squares], kind="stable")[::-1]
    tried = [squares[place] for place in order[:COVERED]]
    images = [intensity]
    for square in tried:
        images.append(intensity.copy())
        images[-1][square] = blurred[square]
    batches = [np.stack(images[start : start + BATCH_SIZE]) for start in range(0, len(images), BATCH_SIZE)]
    values = np.concatenate([log_odds(batch) for batch in batches])
    count = np.zeros_like(intensity)
    for square in squares:
        count[square] += 1
    return np.stack([_heat(losses, tried, count) for losses in np.maximum(values[0] - values[1:], 0.0).T])


def _heat(losses: NDArray[np.float64], tried: list[Square], count: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spread the loss of each tried square over its pixels, of which each is in `count` squares."""
    total = np.zeros_like(count)
    for loss, square in zip(losses, tried):
        total[square] += loss
    mean = total / count  # over all squares that cover a pixel; a square that is not tried counts as 0
    if not mean.max() > 0:
        return mean
    heat = _blurred(mean / mean.max(), SMOOTHING)
    return np.clip(heat / heat.max(), 0, 1).astype(np.float32)


def _squares(size: int) -> list[Square]:
    side = max(1, round(SIDE * size))
    spans = [slice(round(start), round(start) + side) for start in np.linspace(0, size - side, SQUARES).tolist()]
    return [(rows, columns) for rows in spans for columns in spans]


def _blurred(image: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Blur a square image by a Gaussian whose sigma is a share of its side, with renormalized weights at the edges."""
    places = np.arange(len(image))
    weights = np.exp(-(((places[:, None] - places) / (share * len(image))) ** 2) / 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return (weights @ image @ weights.T).astype(np.float32)
