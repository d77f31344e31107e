"""Random views of a film, with its corners.

Images and corners change by the same matrix. MONAI and albumentations transform key points with images too, but
neither has the two coupled views, the stretched film and crops along vertebrae, that the networks take.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinealign.alignment.preparing import TALL_SHAPE
from spinealign.imaging.frames import MIRRORED, Frames, chain_frames, cut_crops, standardize
from spinealign.imaging.sampling import sample_bilinear

Array = NDArray[np.float32]
Points = NDArray[np.float64]
Random = np.random.Generator


@dataclass(frozen=True)
class FilmAugmentation:
    """Strength of the augmentation of whole films.

    Attributes:
        rotation_deg: Largest rotation.
        zoom: Largest logarithm of the change of scale.
        stretch: Largest logarithm of the change of width against height.
        shift: Largest shift along x and y, as shares of the width and height.
        gamma: Largest logarithm of the gamma.
        gain: Largest change of the contrast.
        bias: Largest change of the brightness.
        noise: Largest standard deviation of the noise, in three of ten films.
        inverted: Share of films with inverted gray levels.
    """

    rotation_deg: float = 10.0
    zoom: float = 0.17
    stretch: float = 0.1
    shift: tuple[float, float] = (0.07, 0.06)
    gamma: float = 0.45
    gain: float = 0.25
    bias: float = 0.15
    noise: float = 0.05
    inverted: float = 0.1


def whole_view(width: int, shape: tuple[int, int]) -> Points:
    """Return the matrix (2, 3) from pixels of an input of `shape` to those of a film of 1024 rows and `width` columns.

    Pixel (0, 0) is the center of the first pixel.
    """
    x, y = width / shape[1], TALL_SHAPE[0] / shape[0]
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]])


def random_view(width: int, shape: tuple[int, int], *, config: FilmAugmentation, rng: Random) -> Points:
    """Return a random matrix of the same kind as that of `whole_view`; one of two mirrors the film."""
    angle = np.deg2rad(rng.uniform(-config.rotation_deg, config.rotation_deg))
    zoom, stretch = np.exp(rng.uniform(-config.zoom, config.zoom)), np.exp(rng.uniform(-config.stretch, config.stretch))
    flip = -1 if rng.random() < 0.5 else 1
    size = np.array([width, TALL_SHAPE[0]])
    center = size * (0.5 + rng.uniform(-1, 1, 2) * config.shift) - 0.5
    cos, sin = np.cos(angle), np.sin(angle)
    scale = size / shape[::-1] * zoom * [stretch * flip, 1 / stretch]
    matrix = np.array([[cos, -sin], [sin, cos]]) * scale
    offset = center - matrix @ ((np.array(shape[::-1]) - 1) / 2)
    return np.column_stack([matrix, offset])


def view_film(tall: Array, width: int, *, view: Points, shape: tuple[int, int]) -> Array:
    """Return the input of `shape` that a matrix takes from a stretched film; `width` is that of the film."""
    x, y = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    places = np.stack([x, y], -1) @ view[:, :2].T + view[:, 2]
    columns = (places[..., 0] + 0.5) * (TALL_SHAPE[1] / width) - 0.5
    seen = sample_bilinear(tall, columns.astype(np.float32), y=places[..., 1].astype(np.float32))
    size = np.array([width, TALL_SHAPE[0]])
    seen[(np.abs(places - (size - 1) / 2) > size / 2).any(-1)] = 0
    return seen


def view_corners(corners: Points, view: Points) -> Points:
    """Return corners of shape (N, 4, 2) of the film in pixels of the input; left stays left in a mirrored input."""
    moved = (corners - view[:, 2]) @ np.linalg.inv(view[:, :2]).T
    return moved[:, MIRRORED] if np.linalg.det(view[:, :2]) < 0 else moved


def vary_gray(gray: NDArray[Any], config: FilmAugmentation, *, rng: Random) -> Array:
    """Change gamma, contrast, brightness, noise and polarity at random."""
    gray = np.clip(gray, 0, 1) ** np.float32(np.exp(rng.uniform(-config.gamma, config.gamma)))
    gray = gray * rng.uniform(1 - config.gain, 1 + config.gain) + rng.uniform(-config.bias, config.bias)
    if rng.random() < 0.3:
        gray = gray + rng.normal(size=gray.shape) * rng.uniform(0, config.noise)
    return (1 - gray if rng.random() < config.inverted else gray).astype(np.float32)


def vary_frames(corners: Points, rng: Random) -> Frames:
    """Return frames that differ from those of the vertebrae as the frames of located vertebrae do.

    The spread is that of a first stage on held-out films, with heavy tails.
    """
    frames, count = chain_frames(corners), len(corners)
    far = rng.random(count) < 0.15
    shift = rng.normal(size=(count, 2)) * np.where(far, 0.14, 0.05)[:, None]
    angles = frames.angles + np.deg2rad(rng.normal(size=count) * np.where(far, 7.5, 2.8))
    widths = frames.widths * np.exp(0.05 * rng.normal() + 0.07 * rng.normal(size=count))
    stretched = rng.random() < 0.5
    aspects = np.exp(rng.normal(scale=0.05, size=count) * stretched)
    return Frames(frames.to_pixels(shift[:, None])[:, 0], angles, widths, aspects)


def vary_crops(crops: NDArray[Any], rng: Random) -> Array:
    """Standardize crops of one film and change gamma, noise, polarity, sharpness and shading at random."""
    crops = np.clip(crops, 0, 1) ** np.float32(np.exp(rng.uniform(-0.45, 0.45)))
    crops = standardize(crops)
    if rng.random() < 0.3:
        crops = crops + rng.normal(size=crops.shape) * rng.uniform(0, 0.25)
    if rng.random() < 0.1:
        crops = -crops
    if rng.random() < 0.3:
        crops = _blurred(crops)
    if rng.random() < 0.4:
        y, x = (np.linspace(-1, 1, size) for size in crops.shape[2:])
        slopes = rng.normal(scale=0.5, size=(2, len(crops), 1, 1, 1))
        crops = crops + slopes[0] * x + slopes[1] * y[:, None]
    return crops.astype(np.float32)


def random_crops(fine: Array, corners: Points, *, frames: Frames, rng: Random) -> tuple[Array, Points]:
    """Return varied crops of `fine` along frames, and the corners in the unit of each frame."""
    return vary_crops(cut_crops(fine, frames), rng), frames.to_unit(corners)


def chosen_frames(frames: Frames, chosen: NDArray[np.int64]) -> Frames:
    """Return some of the frames."""
    return replace(
        frames,
        centers=frames.centers[chosen],
        angles=frames.angles[chosen],
        widths=frames.widths[chosen],
        aspects=frames.aspects[chosen],
    )


def _blurred(crops: NDArray[Any]) -> NDArray[Any]:
    padded = np.pad(crops, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3)).mean(axis=(4, 5))
