"""Drawn sagittal MR of other regions of the body, which no model here measures."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from spinealign.imaging.slice import Slice
from spinealign.phantoms.geometry import Field, Grid, Point, capsule, superellipse

SIZE = 192  # pixels
FAT, MUSCLE, MARROW, CARTILAGE, FLUID, BRAIN = 0.85, 0.3, 0.65, 0.45, 0.95, 0.5


class _Picture:
    """Tissues that are painted over each other; the first number of a seed is that of the region."""

    def __init__(self, seed: tuple[int, int], extent_mm: float) -> None:
        self.rng = np.random.default_rng(seed)
        tilted = Grid.square(SIZE, extent_mm * self.rng.uniform(0.92, 1.08))
        center = tuple(self.rng.uniform(-5, 5, 2).tolist())
        self.grid = tilted.placed((center[0], center[1]), float(self.rng.uniform(-6, 6)))
        self.gray: Field = np.zeros((SIZE, SIZE))

    def paint(self, distance: Field, level: float, *, rim: float = 0.0) -> None:
        """Fill a shape; `rim` is the width of its dark border in mm."""
        for inside, gray in ((distance - rim, 0.05), (distance, level)) if rim else ((distance, level),):
            share = self.grid.coverage(inside)
            self.gray = self.gray * (1 - share) + gray * share

    def slice(self, name: str) -> Slice:
        """Return the picture with shading and noise."""
        shading = np.exp(self.rng.uniform(-0.003, 0.003) * self.grid.x + self.rng.uniform(-0.003, 0.003) * self.grid.y)
        noisy = self.gray * shading + 0.025 * self.rng.normal(size=self.gray.shape)
        pitch = self.grid.pitch_mm
        gray = np.clip(noisy * 230, 0, 255).astype(np.float32)
        return Slice(gray, spacing_mm=(pitch, pitch), modality="MR", origin=f"drawn {name}")


def draw_knee(seed: int = 0) -> Slice:
    """Draw a sagittal slice of a knee: femur, tibia, patella and their cartilage."""
    picture = _Picture((0, seed), 160)
    grid = picture.grid
    picture.paint(capsule(grid, (0, -120), end=(-4, 120), radius=58), FAT)
    picture.paint(capsule(grid, (8, -120), end=(10, 120), radius=46), MUSCLE)
    condyle = superellipse(grid, (2, -14), half_axes=(31, 26))
    femur = np.minimum(condyle, capsule(grid, (-6, -110), end=(-4, -20), radius=17))
    tibia = np.minimum(
        superellipse(grid, (2, 27), half_axes=(30, 13), power=4), capsule(grid, (0, 110), end=(0, 32), radius=17)
    )
    picture.paint(condyle - 3, CARTILAGE)
    picture.paint(superellipse(grid, (16, 12), half_axes=(14, 4)), FLUID)
    for bone in (femur, tibia, superellipse(grid, (-44, -22), half_axes=(10, 20))):
        picture.paint(bone, MARROW, rim=1.5)
    return picture.slice("knee")


def draw_head(seed: int = 0) -> Slice:
    """Draw a sagittal slice of a head: scalp, skull, folded brain, cerebellum and brain stem."""
    picture = _Picture((1, seed), 240)
    grid = picture.grid
    angle, radius = np.arctan2(grid.y + 15, grid.x), np.hypot(grid.x / 88, (grid.y + 15) / 66)
    skull = superellipse(grid, (0, -15), half_axes=(96, 74))
    picture.paint(superellipse(grid, (-70, 65), half_axes=(38, 50)), MUSCLE)
    picture.paint(skull - 6, FAT)
    picture.paint(skull, 0.05)
    folds = np.cos(angle * picture.rng.integers(18, 30) + 2 * np.sin(5 * radius)) * np.cos(9 * radius)
    picture.paint((radius - 1) * 60, BRAIN)
    picture.gray = picture.gray + 0.15 * folds * grid.coverage((radius - 1) * 60)
    picture.paint(superellipse(grid, (4, -8), half_axes=(38, 8)), FLUID)
    picture.paint(superellipse(grid, (48, 38), half_axes=(28, 22)), 0.4)
    picture.paint(capsule(grid, (16, 10), end=(26, 120), radius=11), 0.55)
    return picture.slice("head")


def draw_neck(seed: int = 0) -> Slice:
    """Draw a sagittal slice of the cervical spine: small bodies below a skull base, cord and airway."""
    picture = _Picture((2, seed), 230)
    grid = picture.grid
    picture.paint(superellipse(grid, (10, -105), half_axes=(95, 60)), BRAIN, rim=6)
    picture.paint(capsule(grid, (6, -40), end=(18, 130), radius=60), FAT)
    picture.paint(capsule(grid, (4, -40), end=(12, 130), radius=48), MUSCLE)
    picture.paint(capsule(grid, (-32, -50), end=(-28, 130), radius=7), 0.02)

    def middle(y: float) -> Point:
        return 2 - 9 * float(np.cos(y / 42)), y

    places = [middle(y) for y in np.arange(-52, 116, 17.5)]
    for upper, lower in pairwise(places):
        for offset, width, level in ((22.0, 8.0, FLUID), (22.0, 4.5, 0.5)):
            picture.paint(
                capsule(grid, (upper[0] + offset, upper[1]), end=(lower[0] + offset, lower[1]), radius=width), level
            )
    for x, y in places:
        picture.paint(superellipse(grid, (x, y), half_axes=(8.5, 6.5), power=5), MARROW, rim=1)
        picture.paint(superellipse(grid, (x + 42, y + 5), half_axes=(10, 4)), MARROW, rim=1)
    return picture.slice("neck")


OTHER_REGIONS: dict[str, Callable[[int], Slice]] = {"knee": draw_knee, "head": draw_head, "neck": draw_neck}
