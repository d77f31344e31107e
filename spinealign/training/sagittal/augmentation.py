"""Random views of a sagittal slice, with its masks and corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from spinealign.alignment.sagittal.preparing import BRIGHTEST
from spinealign.imaging.sampling import sample_bilinear

Array = NDArray[np.float32]
Points = NDArray[np.float64]
Random = np.random.Generator
Affine = tuple[float, ...]


@dataclass(frozen=True)
class SliceAugmentation:
    """Strength of the augmentation of whole slices.

    Attributes:
        rotation_deg: Largest rotation.
        zoom: Smallest and largest size of the anatomy against the original.
        stretch: Largest logarithm of the change of width against height.
        shift: Largest shift along x and y in pixels.
        gamma: Largest logarithm of the gamma.
        inverted: Share of views with inverted gray levels.
        curved: Share of views with a random curve of gray levels.
        shading: Largest standard deviation of the logarithm of the bias field.
        noise: Largest standard deviation of the noise.
    """

    rotation_deg: float = 20.0
    zoom: tuple[float, float] = (0.6, 1.6)
    stretch: float = 0.1
    shift: tuple[float, float] = (35.0, 45.0)
    gamma: float = 0.8
    inverted: float = 0.2
    curved: float = 0.25
    shading: float = 0.5
    noise: float = 0.1


def random_affine(center: Points, size: int, *, config: SliceAugmentation, rng: Random) -> Affine:
    """Return the affine map from the pixels of a random view to a slice, as `PIL.Image.transform` takes it.

    Args:
        center: Place (x, y) in the slice near which the view has its middle.
        size: Height and width of the view.
        config: Largest changes.
        rng: Source of all random choices.
    """
    angle = np.deg2rad(rng.uniform(-config.rotation_deg, config.rotation_deg))
    zoom = np.exp(rng.uniform(*np.log(config.zoom)))
    stretch = np.exp(rng.uniform(-config.stretch, config.stretch))
    middle = center + rng.uniform(-1, 1, 2) * config.shift + 0.5  # PIL counts from the corner of the first pixel
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[cos, -sin], [sin, cos]]) / zoom * [1 / stretch, stretch]
    rows = np.column_stack([matrix, middle - matrix @ [size / 2, size / 2]])
    return tuple(rows.ravel().tolist())


def view_slice(gray: Array, masks: NDArray[np.uint8], *, affine: Affine, size: int) -> tuple[Array, NDArray[np.uint8]]:
    """Return gray levels (size, size) and masks (K, size, size) of a view; both are 0 outside of the slice."""

    def view(image: NDArray[Any], how: Image.Resampling) -> NDArray[Any]:
        return np.asarray(Image.fromarray(image).transform((size, size), Image.Transform.AFFINE, affine, resample=how))

    seen = [view(mask, Image.Resampling.NEAREST) for mask in masks]
    return view(gray, Image.Resampling.BILINEAR), np.stack(seen)


def vary_gray(gray: NDArray[Any], config: SliceAugmentation, *, rng: Random) -> Array:
    """Change resolution, gamma, contrast, polarity, shading and noise at random."""
    shown = gray > 0.02
    if rng.random() < 0.3:
        gray = _coarser(gray, rng)
    if rng.random() < 0.35:
        gray = ndimage.gaussian_filter(gray, rng.uniform(0.4, 1.6))
    gray = np.clip(gray, 0, BRIGHTEST)
    if rng.random() < 0.6:
        gray = gray ** np.float32(np.exp(rng.uniform(-config.gamma, config.gamma)))
    if rng.random() < config.curved:
        steps = rng.random(6)
        levels = steps if rng.random() < 0.3 else np.cumsum(steps) / steps.sum()
        gray = np.interp(gray, np.linspace(0, BRIGHTEST, 6), levels)
    if rng.random() < config.inverted:
        gray = (gray.max() - gray) * (shown if rng.random() < 0.7 else 1)
    if rng.random() < 0.6:
        knots = rng.normal(scale=rng.uniform(0.1, config.shading), size=(3, 3)).astype(np.float32)
        field = Image.fromarray(knots).resize(gray.shape[::-1], Image.Resampling.BICUBIC)
        gray = gray * np.exp(np.asarray(field))
    if rng.random() < 0.6:
        gray = gray + rng.normal(scale=rng.uniform(0, config.noise), size=gray.shape)
    return np.asarray(gray, np.float32)


def _coarser(gray: Array, rng: Random) -> Array:
    """Return a picture with the resolution of larger pixels, along one or both axes."""
    factors = np.where(rng.random(2) < 0.7, rng.uniform(1, 3, 2), 1)
    height, width = np.maximum((np.array(gray.shape) / factors).astype(int), 1).tolist()
    small = Image.fromarray(gray).resize((width, height), Image.Resampling.BOX)
    return np.asarray(small.resize(gray.shape[::-1], Image.Resampling.BILINEAR))


@dataclass(frozen=True, eq=False)
class Warp:
    """A smooth deformation of a slice: each pixel p shows what was at p + `shifts(p)`.

    Attributes:
        waves: Shape (K, 2): wave vectors in radians per pixel.
        phases: Shape (K,).
        amplitudes: Shape (K, 2): shifts along x and y in pixels.
    """

    waves: Points
    phases: Points
    amplitudes: Points

    @classmethod
    def random(cls, rng: Random, *, count: int = 4, largest: float = 1.2) -> Warp:
        """Return a random deformation with waves of 40 to 120 pixels."""
        directions, lengths = rng.uniform(0, 2 * np.pi, count), rng.uniform(40, 120, count)
        waves = (2 * np.pi / lengths)[:, None] * np.stack([np.cos(directions), np.sin(directions)], 1)
        return cls(waves, rng.uniform(0, 2 * np.pi, count), rng.normal(scale=largest / 2, size=(count, 2)))

    def shifts(self, points: Points) -> Points:
        """Return the shifts at points of shape (..., 2)."""
        shifts: Points = np.sin(points @ self.waves.T + self.phases) @ self.amplitudes
        return shifts

    def apply(self, part: Array, corner: Points) -> Array:
        """Return a deformed part of a slice, whose first pixel is at `corner` (x, y)."""
        places = np.stack(np.meshgrid(np.arange(part.shape[1]), np.arange(part.shape[0])), -1).astype(np.float64)
        x, y = np.moveaxis(places + self.shifts(places + corner), -1, 0).astype(np.float32)
        return sample_bilinear(part, x, y=y)

    def move(self, points: Points) -> Points:
        """Return where points of the slice are in the deformed slice."""
        moved = points
        for _ in range(5):
            moved = points - self.shifts(moved)
        return moved
