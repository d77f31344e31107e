"""Sagittal MR phantoms of the lumbar spine with exactly known angles, slips and heights."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spinealign.imaging.slice import Slice
from spinealign.phantoms.drawn_spine import soft
from spinealign.phantoms.geometry import Field, Grid

Array = NDArray[np.float64]
NAMES = ("T11", "T12", "L1", "L2", "L3", "L4", "L5")
BODIES = len(NAMES)
SACRAL = (
    (30.0, 24.0, 31.0),
    (24.0, 21.0, 22.0),
    (20.0, 18.0, 16.0),
)  # anterior, posterior height and depth of S1 to S3
Sequence = Literal["T1", "T2"]
GRAYS: dict[str, dict[str, float]] = {
    "T1": {
        "fat": 0.9,
        "muscle": 0.3,
        "marrow": 0.55,
        "cortex": 0.08,
        "disc": 0.35,
        "nucleus": 0.33,
        "fluid": 0.12,
        "cord": 0.38,
    },
    "T2": {
        "fat": 0.75,
        "muscle": 0.2,
        "marrow": 0.45,
        "cortex": 0.06,
        "disc": 0.15,
        "nucleus": 0.7,
        "fluid": 1.0,
        "cord": 0.4,
    },
}


@dataclass(frozen=True, eq=False)
class SagittalAnatomy:
    """Measures of a drawn spine from T11 to S1, in mm and degrees.

    Attributes:
        anterior: Anterior height of the seven bodies.
        posterior: Posterior height.
        depth: Length of the superior endplate.
        disc: Height of the discs below the bodies, between the centers of the endplates.
        disc_angle: Angle of the discs, positive if lordotic.
        slip: How far each body is displaced forwards on the one below.
        tilt: Tilt of the superior endplate of T11, positive if its posterior end is lower.
    """

    anterior: Array = field(default_factory=lambda: np.array([23.0, 25.5, 26.5, 28.0, 28.8, 28.4, 29.8]))
    posterior: Array = field(default_factory=lambda: np.array([25.0, 27.0, 27.3, 27.5, 27.7, 26.6, 24.0]))
    depth: Array = field(default_factory=lambda: np.array([30.0, 31.0, 31.5, 32.5, 33.5, 33.5, 33.0]))
    disc: Array = field(default_factory=lambda: np.array([6.3, 7.0, 7.8, 8.8, 9.8, 10.0, 9.0]))
    disc_angle: Array = field(default_factory=lambda: np.array([0.0, 2.0, 4.0, 6.0, 8.0, 12.0, 14.0]))
    slip: Array = field(default_factory=lambda: np.zeros(BODIES))
    tilt: float = 12.0

    @classmethod
    def random(cls, rng: np.random.Generator) -> SagittalAnatomy:
        """Return an anatomy of usual variety, with a slip now and then."""
        usual, size = cls(), rng.uniform(0.88, 1.12)
        slip = rng.normal(-1, 1, BODIES) + rng.uniform(3, 10, BODIES) * (rng.random(BODIES) < 0.06)
        lengths = {
            name: getattr(usual, name) * size * np.exp(rng.normal(0, spread, BODIES))
            for name, spread in (("anterior", 0.05), ("posterior", 0.05), ("depth", 0.04), ("disc", 0.15))
        }
        angles = usual.disc_angle * rng.uniform(0.5, 1.3) + rng.normal(0, 1.5, BODIES)
        return cls(**lengths, disc_angle=angles, slip=slip, tilt=float(rng.normal(12, 5)))

    def corners(self) -> Array:
        """Return the corners of the bodies and of S1 to S3 in mm, shape (10, 4, 2)."""
        sizes = [*zip(self.anterior, self.posterior, self.depth), *SACRAL]
        discs = [*zip(self.disc, self.disc_angle, self.slip), (1.5, 6.0, 0.0), (1.0, 8.0, 0.0)]
        drawn = [_body(np.zeros(2), self.tilt, sizes=sizes[0])]
        for (height, angle, slip), size in zip(discs, sizes[1:]):
            above = drawn[-1]
            across = above[3] - above[2]
            upper = float(np.degrees(np.arctan2(across[1], across[0])))
            along, bisector = _direction(upper - angle), _direction(upper - angle / 2 + 90)
            # the superior posterior corner, by its slip along the endplate and the height of the disc in its middle
            middle = above[2:].mean(axis=0) + along * size[2] / 2
            corner = np.linalg.solve([along, bisector], [along @ above[3] + slip, bisector @ middle + height])
            drawn.append(_body(corner, upper - angle, sizes=size))
        return np.stack(drawn)


@dataclass(frozen=True, eq=False)
class DrawnSagittal:
    """A drawn sagittal slice of the lumbar spine with its ground truth.

    Attributes:
        slice: Gray levels, superior up and anterior left, with its spacing.
        corners: Corners of the bodies T11 to L5 in pixels, shape (7, 4, 2).
        sacrum_endplate: Anterior and posterior end of the superior endplate of S1, shape (2, 2).
        masks: Share of each pixel within T11 to L5 and S1, shape (8, H, W).
        disc: Mask of the discs, bool of shape (H, W).
        canal: Mask of the spinal canal.
        anatomy: The measures.
        seed: Seed that reproduces the phantom.
    """

    slice: Slice
    corners: Array
    sacrum_endplate: Array
    masks: NDArray[np.float32]
    disc: NDArray[np.bool_]
    canal: NDArray[np.bool_]
    anatomy: SagittalAnatomy
    seed: int


def draw_sagittal_spine(
    anatomy: SagittalAnatomy | None = None,
    *,
    sequence: Sequence = "T2",
    rotation_deg: float = 0.0,
    spacing_mm: float = 1.0,
    extent_mm: float = 280.0,
    seed: int = 0,
) -> DrawnSagittal:
    """Draw a midsagittal MR slice of the lumbar spine.

    Args:
        anatomy: Measures of the spine; None for random ones from the seed.
        sequence: Contrast.
        rotation_deg: Rotation of the patient, positive clockwise.
        spacing_mm: Distance of pixels.
        extent_mm: Height and width of the field of view.
        seed: Seed of the tissues and the noise, not negative.
    """
    rng = np.random.default_rng(seed)
    anatomy = anatomy or SagittalAnatomy.random(rng)
    corners = anatomy.corners() @ np.array([_direction(rotation_deg), _direction(rotation_deg + 90)])
    size = round(extent_mm / spacing_mm)
    grid = Grid.square(size, size * spacing_mm)
    corners = corners - corners[: BODIES + 1].mean(axis=(0, 1)) + rng.uniform(-5, 5, 2)
    shapes = _Shapes.around(grid, corners)
    gray = _tissues(grid, corners, shapes=shapes, grays=GRAYS[sequence], rng=rng)
    bias = np.exp(rng.normal(0, 0.12) * grid.x / 100 + rng.normal(0, 0.12) * grid.y / 100)
    noisy = np.abs(gray * bias + rng.normal(0, rng.uniform(0.01, 0.04), gray.shape))
    pixels = (noisy * rng.uniform(400, 1200)).astype(np.float32)
    image = Slice(pixels, spacing_mm=(spacing_mm, spacing_mm), modality="MR", origin=f"sagittal spine phantom {seed}")
    placed = corners / spacing_mm + (size - 1) / 2
    masks = grid.coverage(shapes.bodies[: BODIES + 1]).astype(np.float32)
    bodies = masks.max(axis=0) > 0.5
    disc = (shapes.discs.min(axis=0) < 0) & ~bodies
    canal = (shapes.canal < 0) & ~bodies & ~disc
    return DrawnSagittal(image, placed[:BODIES], placed[BODIES, :2], masks, disc, canal, anatomy, seed)


@dataclass(frozen=True, eq=False)
class _Shapes:
    """Distances to the shapes of a spine: bodies with S1 to S3 (10, H, W), discs (7, H, W) and the canal (H, W).

    `behind` is the distance behind the posterior walls along x.
    """

    bodies: Field
    discs: Field
    canal: Field
    behind: Field

    @classmethod
    def around(cls, grid: Grid, corners: Array) -> _Shapes:
        walls = corners[:, 1::2].reshape(-1, 2)
        walls = walls[np.argsort(walls[:, 1])]
        behind = grid.x - np.interp(grid.y, walls[:, 1], walls[:, 0])
        gaps = np.concatenate([corners[:BODIES, 2:], corners[1 : BODIES + 1, :2]], axis=1)
        bodies, discs = (np.array([_distance(grid, each) for each in quads]) for quads in (corners, gaps))
        return cls(bodies, discs, np.abs(behind - 10.0) - 8.0, behind)


def _tissues(
    grid: Grid, corners: Array, *, shapes: _Shapes, grays: dict[str, float], rng: np.random.Generator
) -> Field:
    """Return gray levels in [0, 1]."""
    centers, behind = corners.mean(axis=1), shapes.behind
    gray = np.full(grid.x.shape, grays["muscle"])
    gray += (grays["fat"] - grays["muscle"]) * soft(behind + 34, 4.0) * _clouds(grid, rng)  # fat of the abdomen
    gray = _paint(gray, grays["fat"], soft(rng.uniform(38, 48) - behind, 5.0))
    for upper, lower in pairwise(centers):  # spinous processes
        tip = (upper + lower) / 2 + (rng.uniform(42, 48), 12.0)
        gray = _paint(gray, grays["marrow"], soft(np.hypot((grid.x - tip[0]) / 2, grid.y - tip[1]) - 6.5, 2.0))
    gray = _paint(gray, grays["fluid"], soft(shapes.canal, 1.5))
    gray = _paint(gray, grays["cord"], soft(np.maximum(np.abs(behind - 8.0) - 3.5, grid.y - centers[2, 1]), 1.5))
    for distance in shapes.discs:
        gray = _paint(gray, grays["disc"], soft(distance - 0.5, 1.2))
        gray = _paint(gray, grays["nucleus" if rng.random() < 0.6 else "disc"], soft(distance + 3.0, 2.0))
    for distance in shapes.bodies:
        gray = _paint(gray, grays["cortex"], soft(distance - 0.8, 1.0))
        gray = _paint(gray, grays["marrow"] * rng.uniform(0.85, 1.15), soft(distance + 0.4, 1.0))
    skin = np.maximum(behind - rng.uniform(60, 80), -behind - rng.uniform(120, 150))
    return np.asarray(gray * soft(skin, 2.0))


def _clouds(grid: Grid, rng: np.random.Generator) -> Field:
    """Return bowel and vessels between fat, as shares of fat."""
    (width_x, width_y), (shift_x, shift_y) = rng.uniform(6, 18, 2), rng.uniform(0, 6, 2)
    x = grid.x + 12 * np.sin(grid.y / width_x + shift_x)
    y = grid.y + 12 * np.sin(grid.x / width_y + shift_y)
    return soft(0.3 - np.sin(x / rng.uniform(8, 14)) * np.sin(y / rng.uniform(8, 16)), 0.8)


def _paint(gray: Field, level: float, share: Field) -> Field:
    return gray + (level - gray) * share


def _direction(angle_deg: float) -> Array:
    angle = np.deg2rad(angle_deg)
    return np.array([np.cos(angle), np.sin(angle)])


def _body(corner: Array, tilt_deg: float, *, sizes: tuple[float, float, float]) -> Array:
    """Return the corners of a body by its superior posterior one and the tilt of its superior endplate."""
    anterior, posterior, depth = sizes
    superior = np.stack([corner - depth * _direction(tilt_deg), corner])
    wedge = np.degrees(np.arctan2(anterior - posterior, depth))
    down = _direction(tilt_deg + 90 - wedge / 2)
    return np.concatenate([superior, superior + down * np.array([[anterior], [posterior]])])


def _distance(grid: Grid, corners: Array) -> Field:
    """Return the distance to a convex quadrilateral, which is exact within it."""
    around = corners[[0, 1, 3, 2]]
    edges = np.roll(around, -1, axis=0) - around
    normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1) / np.linalg.norm(edges, axis=1, keepdims=True)
    sides = [x * (grid.x - start[0]) + y * (grid.y - start[1]) for (x, y), start in zip(normals, around)]
    return np.max(sides, axis=0)
