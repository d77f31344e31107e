"""Bone of a phantom: a subaxial cervical vertebra, and a break of its ring."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spinealign.phantoms.geometry import Field, Grid, Point, capsule, smooth_union, superellipse

Site = Literal["body", "pedicle", "transverse process", "lamina", "spinous process"]
LEVELS = ("C3", "C4", "C5", "C6", "C7")


@dataclass(frozen=True)
class Limb:
    """A straight part of the ring; a break may cross it from cortex to cortex."""

    site: Site
    start: Point
    end: Point
    radius: float


@dataclass(frozen=True)
class Vertebra:
    """Shape of a vertebra in mm, with the origin at the center of the canal, and its densities in HU."""

    level: str
    body_half: Point
    canal_half: Point
    pedicle_radius: float
    lamina_radius: float
    spinous_length: float
    bifid: bool
    transverse_length: float
    foramen_radius: float
    cortex_mm: float
    cortex_hu: float
    cancellous_hu: float
    texture_seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Vertebra:
        """Draw the parameters of a random subaxial vertebra."""
        index = int(rng.integers(len(LEVELS)))
        caudal = index / (len(LEVELS) - 1)
        scale = rng.normal(1.0, 0.06)
        return cls(
            level=LEVELS[index],
            body_half=(scale * rng.uniform(8.5, 10.0) + 1.5 * caudal, scale * rng.uniform(6.8, 8.4)),
            canal_half=(scale * rng.uniform(10.5, 12.5), scale * rng.uniform(6.8, 8.2)),
            pedicle_radius=rng.uniform(2.6, 3.4),
            lamina_radius=rng.uniform(2.2, 3.0),
            spinous_length=scale * (rng.uniform(11, 16) + 12 * caudal**3),
            bifid=bool(index < 4 and rng.random() < 0.8),
            transverse_length=scale * rng.uniform(9, 12),
            foramen_radius=rng.uniform(2.4, 3.1),
            cortex_mm=rng.uniform(1.0, 1.7),
            cortex_hu=rng.uniform(850, 1300),
            cancellous_hu=rng.uniform(230, 430),
            texture_seed=int(rng.integers(2**32)),
        )

    @property
    def body_center(self) -> Point:
        """Center of the vertebral body."""
        return 0.0, -self.canal_half[1] - self.body_half[1] + 1.0

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


@dataclass(frozen=True)
class BreakPlan:
    """Position, direction and kind of a break.

    Attributes:
        site: Broken part of the ring.
        side: 1 for the right half of the image, -1 for the left.
        center: Center of the break in mm, in the right half.
        along: Unit vector along the part; the gap is perpendicular to it.
        reach_mm: Extent of the gap to both sides of `center`.
        size_mm: Width of the gap, or length of the step of a displaced fragment.
        kind: `gap` or `displaced`.
        phases: Two random phases of the jagged edge.
    """

    site: Site
    side: int
    center: Point
    along: Point
    reach_mm: float
    size_mm: float
    kind: Literal["gap", "displaced"]
    phases: tuple[float, float]

    @property
    def gap_mm(self) -> float:
        """Width of the gap; a displaced fragment has a narrow one."""
        return self.size_mm if self.kind == "gap" else 1.0 + 0.25 * self.size_mm

    @property
    def step_mm(self) -> float:
        """Displacement of the fragment."""
        return 0.0 if self.kind == "gap" else self.size_mm

    def coordinates(self, grid: Grid) -> tuple[Field, Field]:
        """Return the position of each pixel along and across the broken part, in mm from the break."""
        x, y = grid.x * self.side - self.center[0], grid.y - self.center[1]
        return x * self.along[0] + y * self.along[1], y * self.along[0] - x * self.along[1]


def plan_break(vertebra: Vertebra, size_mm: float, *, rng: np.random.Generator) -> BreakPlan:
    """Draw the position, direction and kind of a break of the given size."""
    limbs: list[Limb | None] = [*vertebra.limbs(), None, None]
    limb = limbs[int(rng.integers(len(limbs)))]
    tilt = np.deg2rad(rng.uniform(-25, 25))
    if limb is None:
        center, direction, reach = _body_cortex(vertebra, float(rng.uniform(-0.35, 0.5) * np.pi))
        site: Site = "body"
    else:
        share = rng.uniform(0.3, 0.8)
        center = (
            limb.start[0] + share * (limb.end[0] - limb.start[0]),
            limb.start[1] + share * (limb.end[1] - limb.start[1]),
        )
        direction = float(np.arctan2(limb.end[1] - limb.start[1], limb.end[0] - limb.start[0]))
        site, reach = limb.site, limb.radius + 2.0
    return BreakPlan(
        site=site,
        side=1 if rng.random() < 0.5 else -1,
        center=center,
        along=(float(np.cos(direction + tilt)), float(np.sin(direction + tilt))),
        reach_mm=reach,
        size_mm=size_mm,
        kind="displaced" if rng.random() < 0.3 else "gap",
        phases=(rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi)),
    )


def _body_cortex(vertebra: Vertebra, angle: float) -> tuple[Point, float, float]:
    """Return a point under the cortex of the body at `angle` from lateral, its tangent, and the reach of a break."""
    (width, depth), (_, middle) = vertebra.body_half, vertebra.body_center
    center = (0.75 * width * np.cos(angle), middle - 0.75 * depth * np.sin(angle))
    tangent = float(np.arctan2(-depth * np.cos(angle), -width * np.sin(angle)))
    return center, tangent, 0.45 * float(min(width, depth))


def _displaced(grid: Grid, plan: BreakPlan) -> Grid:
    """Return the coordinates that each pixel had before the fragment was displaced."""
    along, across = plan.coordinates(grid)
    beyond = 0.5 * (1 + np.tanh(along / 0.5)) * np.clip(1.6 - along / 9.0, 0.0, 1.0)
    near = np.clip(2.0 - np.abs(across) / (plan.reach_mm + plan.step_mm), 0.0, 1.0)
    shift = plan.step_mm * beyond * near
    return Grid(grid.x + plan.side * shift * plan.along[1], grid.y - shift * plan.along[0], grid.pitch_mm)


def draw_vertebra(vertebra: Vertebra, grid: Grid, *, plan: BreakPlan | None = None) -> tuple[Field, Field]:
    """Draw the bone on a grid of shape (H, W), with a break if a plan is given.

    Returns:
        Fraction of bone in each pixel, in [0, 1], and density of the bone in HU, both of shape (H, W).
    """
    distance = vertebra.distance(grid if plan is None else _displaced(grid, plan))
    coverage = grid.coverage(distance)
    cortex = grid.coverage(np.abs(distance + vertebra.cortex_mm / 2) - vertebra.cortex_mm / 2)
    texture = _trabeculae(vertebra, grid)
    density = texture + cortex * (vertebra.cortex_hu - texture)
    if plan is not None:
        along, across = plan.coordinates(grid)
        jag = 0.35 * np.sin(1.9 * across + plan.phases[0]) + 0.2 * np.sin(4.3 * across + plan.phases[1])
        gap = np.maximum(np.abs(along + jag) - plan.gap_mm / 2, np.abs(across) - plan.reach_mm - plan.step_mm)
        coverage = coverage * (1 - grid.coverage(gap))
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


def fracture_mask(intact: Field, broken: Field) -> NDArray[np.bool_]:
    """Return where bone is missing or displaced, from the bone fraction before and after, both of shape (H, W)."""
    return np.abs(intact - broken) > 0.5
