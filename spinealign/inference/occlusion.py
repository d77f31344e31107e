"""Where the model looked: how much its answer changes when a part of the image is covered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.imaging.conditioning import normalize, render, resize
from spinealign.imaging.reading import SliceSource, read_slice
from spinealign.inference.predictor import Predictor

PATCHES_ACROSS = 7  # side of the covering square as a share of the image
OVERLAP = 4  # neighbouring squares share a quarter of their side


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Occlusion sensitivity (Zeiler and Fergus, ECCV 2014).

    Attributes:
        gray: The image as the network saw it, uint8 of shape (S, S).
        heat: Share of the class's log-odds that was lost when the place was covered, 0 where the answer did not suffer
            and 1 at the hottest place, float32 of shape (S, S).
        label: The class that was explained.
    """

    gray: NDArray[np.uint8]
    heat: NDArray[np.float32]
    label: str


def occlusion_map(predictor: Predictor, source: SliceSource, *, label: str | None = None) -> HeatMap:
    """Cover one square of the image after the other and see how the answer changes.

    Args:
        predictor: The model.
        source: The image.
        label: The class to explain; None takes the predicted one.

    Returns:
        The map; it works with any network and either engine.

    Raises:
        SliceError: If the image cannot be used.
        ValueError: If the model does not know the label.
    """
    config = predictor.conditioning
    gray = resize(render(read_slice(source), config), config)
    intensity = gray / np.float32(255)
    side = config.image_size
    patch_side = side // PATCHES_ACROSS
    starts = sorted({*range(0, side - patch_side, patch_side - patch_side // OVERLAP), side - patch_side})
    covered = [intensity]
    for top in starts:
        for left in starts:
            patched = intensity.copy()
            patch = patched[top : top + patch_side, left : left + patch_side]
            patch[...] = patch.mean()
            covered.append(patched)
    probabilities = np.concatenate([
        predictor.probabilities(np.stack([normalize(image, config) for image in covered[first : first + 16]]))
        for first in range(0, len(covered), 16)
    ])  # fmt: skip
    labels = list(predictor.labels)
    if label is not None and label not in labels:
        raise ValueError(f"the model knows {', '.join(labels)}, not {label!r}.")
    index = int(probabilities[0].argmax()) if label is None else labels.index(label)
    share = np.clip(probabilities[:, index], 1e-6, 1 - 1e-6)
    log_odds = np.log(share / (1 - share))
    loss = np.maximum(log_odds[0] - log_odds[1:], 0.0).reshape(len(starts), len(starts))
    return HeatMap(gray, _spread(loss, starts, patch_side, side), labels[index])


def _spread(loss: NDArray[np.float64], starts: list[int], patch_side: int, side: int) -> NDArray[np.float32]:
    """Average the losses of all squares that cover a pixel, smooth them, and scale the highest to 1."""
    total, count = np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
    for row, top in enumerate(starts):
        for column, left in enumerate(starts):
            total[top : top + patch_side, left : left + patch_side] += loss[row, column]
            count[top : top + patch_side, left : left + patch_side] += 1
    coarse = Image.fromarray(total / count).reduce(max(1, patch_side // 4))
    heat = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
    peak = float(heat.max())
    return np.clip(heat / peak, 0, 1).astype(np.float32) if peak > 0 else np.zeros((side, side), np.float32)
