"""Bone of a phantom: a subaxial cervical vertebra, and a break of its ring. Lengths are in mm, densities in HU."""

from __future__ import annotations

from functools import reduce
from typing import Literal, NamedTuple

import numpy as np

from spinealign.phantoms.geometry import Field, Grid, Point, capsule, smooth_union, superellipse

Site = Literal["body", "pedicle", "transverse process", "lamina", "spinous process"]
Kind = Literal["gap", "displaced"]
LEVELS = ("C3", "C4", "C5", "C6", "C7")


class Limb(NamedTuple):
    """A straight part of the ring; a break may cross it from cortex to cortex."""

    site: Site
    start: Point
    end: Point
    radius: float


class Vertebra:
    """A random vertebra, with the origin at the center of the canal. The order of the draws determines the image."""

    def __init__(self, rng: np.random.Generator) -> None:
        index = int(rng.integers(len(LEVELS)))
        caudal = index / (len(LEVELS) - 1)
        scale = rng.normal(1.0, 0.06)
        self.level = LEVELS[index]
        self.body_half = (scale * rng.uniform(8.5, 10.0) + 1.5 * caudal, scale * rng.uniform(6.8, 8.4))
        self.canal_half = (scale * rng.uniform(10.5, 12.5), scale * rng.uniform(6.8, 8.2))
        self.pedicle_radius = rng.uniform(2.6, 3.4)
        self.lamina_radius = rng.uniform(2.2, 3.0)
        self.spinous_length = scale * (rng.uniform(11, 16) + 12 * caudal**3)
        self.bifid = index < 4 and rng.random() < 0.8
        self.transverse_length = scale * rng.uniform(9, 12)
        self.foramen_radius = rng.uniform(2.4, 3.1)
        self.cortex_mm = rng.uniform(1.0, 1.7)
        self.cortex_hu = rng.uniform(850, 1300)
        self.cancellous_hu = rng.uniform(230, 430)
        self.texture_seed = int(rng.integers(2**32))
        self.body_center = (0.0, -self.canal_half[1] - self.body_half[1] + 1.0)

    def limbs(self) -> list[Limb]:
        """Return the parts of the right half of the ring, and the spinous process."""
        (body, depth), (canal, canal_depth) = self.body_half, self.canal_half
        pillar = (canal + 3.5, 1.0)
        hole, front = 2 * self.foramen_radius, -canal_depth - 0.55 * depth - self.foramen_radius - 1.4
        anterior, posterior = (body + hole + 2.0, front), (body + self.transverse_length, -canal_depth - 0.5)
        junction = (0.0, canal_depth + self.lamina_radius + 1.0)
        tip = (0.0, junction[1] + self.spinous_length)
        limbs = [
            Limb("pedicle", (body - 1.5, -canal_depth - 1.0), pillar, self.pedicle_radius),
            Limb("transverse process", (body - 1.0, front), anterior, 1.6),
            Limb("transverse process", anterior, posterior, 1.6),
            Limb("transverse process", pillar, posterior, 2.1),
            Limb("lamina", (pillar[0] - 1.0, pillar[1] + 3.0), junction, self.lamina_radius),
            Limb("spinous process", junction, tip, self.lamina_radius + 0.3),
        ]
        if self.bifid:
            limbs.append(Limb("spinous process", (0.0, tip[1] - 2.0), (4.5, tip[1] + 3.5), 1.9))
        return limbs

    def distance(self, grid: Grid) -> Field:
        """Return the signed distance to the surface of the bone in mm, shape (H, W)."""
        (body, depth), center = self.body_half, self.body_center
        half = Grid(np.abs(grid.x), grid.y, grid.pitch_mm)
        shapes = [superellipse(grid, center, half_axes=self.body_half, power=2.6)]
        shapes += [superellipse(half, (self.canal_half[0] + 3.5, 2.0), half_axes=(5.0, 5.5))]
        shapes += [capsule(half, limb.start, end=limb.end, radius=limb.radius) for limb in self.limbs()]
        bone = reduce(lambda first, second: smooth_union(first, second, radius=2.0), shapes)
        canal = superellipse(grid, (0.0, 0.0), half_axes=self.canal_half, power=2.3)
        foramen_center = (body + self.foramen_radius + 1.4, -self.canal_half[1] - 0.55 * depth)
        foramen = superellipse(half, foramen_center, half_axes=(self.foramen_radius, self.foramen_radius))
        return np.maximum(bone, np.maximum(-canal, -foramen))


class Break:
    """A random break: its part of the ring, and a center and direction given for the right half of the image."""

    def __init__(self, vertebra: Vertebra, size_mm: float, *, rng: np.random.Generator) -> None:
        limbs = [*vertebra.limbs(), None, None]
        limb = limbs[int(rng.integers(len(limbs)))]
        tilt = np.deg2rad(rng.uniform(-25, 25))
        if limb is None:  # under the cortex of the body, along its tangent
            (width, depth), angle = vertebra.body_half, float(rng.uniform(-0.35, 0.5) * np.pi)
            self.site: Site = "body"
            self.center = (0.75 * width * np.cos(angle), vertebra.body_center[1] - 0.75 * depth * np.sin(angle))
            direction = float(np.arctan2(-depth * np.cos(angle), -width * np.sin(angle)))
            self.reach_mm = 0.45 * min(width, depth)
        else:
            share, (dx, dy) = rng.uniform(0.3, 0.8), (limb.end[0] - limb.start[0], limb.end[1] - limb.start[1])
            self.site, self.reach_mm = limb.site, limb.radius + 2.0
            self.center = (limb.start[0] + share * dx, limb.start[1] + share * dy)
            direction = float(np.arctan2(dy, dx))
        self.side = 1 if rng.random() < 0.5 else -1
        self.along = (float(np.cos(direction + tilt)), float(np.sin(direction + tilt)))
        self.kind: Kind = "displaced" if rng.random() < 0.3 else "gap"
        self.size_mm = size_mm
        self.gap_mm, self.step_mm = (size_mm, 0.0) if self.kind == "gap" else (1.0 + 0.25 * size_mm, size_mm)
        self.phases = (rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi))

    def coordinates(self, grid: Grid) -> tuple[Field, Field]:
        """Return the position of each pixel along and across the broken part, in mm from the break."""
        x, y = grid.x * self.side - self.center[0], grid.y - self.center[1]
        return x * self.along[0] + y * self.along[1], y * self.along[0] - x * self.along[1]

    def undisplaced(self, grid: Grid) -> Grid:
        """Return the coordinates that each pixel had before the fragment was displaced."""
        along, across = self.coordinates(grid)
        beyond = 0.5 * (1 + np.tanh(along / 0.5)) * np.clip(1.6 - along / 9.0, 0.0, 1.0)
        near = np.clip(2.0 - np.abs(across) / (self.reach_mm + self.step_mm), 0.0, 1.0)
        shift = self.step_mm * beyond * near
        return Grid(grid.x + self.side * shift * self.along[1], grid.y - shift * self.along[0], grid.pitch_mm)

    def gap(self, grid: Grid) -> Field:
        """Return the signed distance to the jagged gap."""
        along, across = self.coordinates(grid)
        jag = 0.35 * np.sin(1.9 * across + self.phases[0]) + 0.2 * np.sin(4.3 * across + self.phases[1])
        return np.maximum(np.abs(along + jag) - self.gap_mm / 2, np.abs(across) - self.reach_mm - self.step_mm)


def draw_vertebra(vertebra: Vertebra, grid: Grid, *, broken: Break | None = None) -> tuple[Field, Field]:
    """Draw the bone on a grid of shape (H, W), with a break if one is given.

    Returns:
        Fraction of bone in each pixel, in [0, 1], and density of the bone in HU, both of shape (H, W).
    """
    distance = vertebra.distance(broken.undisplaced(grid) if broken else grid)
    coverage = grid.coverage(distance)
    cortex = grid.coverage(np.abs(distance + vertebra.cortex_mm / 2) - vertebra.cortex_mm / 2)
    texture = _trabeculae(vertebra, grid)
    density = texture + cortex * (vertebra.cortex_hu - texture)
    if broken:
        coverage = coverage * (1 - grid.coverage(broken.gap(grid)))
    return coverage, density


def _trabeculae(vertebra: Vertebra, grid: Grid) -> Field:
    """Draw the texture of cancellous bone as a sum of random waves, in HU."""
    rng = np.random.default_rng(vertebra.texture_seed)
    density = np.full(grid.x.shape, vertebra.cancellous_hu)
    for _ in range(8):
        frequency, direction = rng.uniform(0.8, 2.5), rng.uniform(0, np.pi)
        wave = frequency * (grid.x * np.cos(direction) + grid.y * np.sin(direction))
        density += 25 * np.sin(wave + rng.uniform(0, 2 * np.pi))
    return density
