"""Sagittal MR phantoms of the lumbar spine with exactly known angles, slips and heights."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spinealign.imaging.slice import Slice
from spinealign.phantoms.drawn_spine import soft
from spinealign.phantoms.geometry import Field, Grid, smooth_union

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
        anatomy: The measures.
        seed: Seed that reproduces the phantom.
    """

    slice: Slice
    corners: Array
    sacrum_endplate: Array
    masks: NDArray[np.float32]
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
    middle = corners[: BODIES + 1].mean(axis=(0, 1))
    corners = corners - middle + rng.uniform(-5, 5, 2)
    inside = np.array([_distance(grid, body) for body in corners])
    masks = np.array([grid.coverage(distance) for distance in inside[: BODIES + 1]], np.float32)
    gray = _tissues(grid, corners, inside=inside, grays=GRAYS[sequence], rng=rng)
    bias = np.exp(rng.normal(0, 0.12) * grid.x / 100 + rng.normal(0, 0.12) * grid.y / 100)
    noisy = np.abs(gray * bias + rng.normal(0, rng.uniform(0.01, 0.04), gray.shape))
    pixels = (noisy * rng.uniform(400, 1200)).astype(np.float32)
    image = Slice(pixels, spacing_mm=(spacing_mm, spacing_mm), modality="MR", origin=f"sagittal spine phantom {seed}")
    placed = corners / spacing_mm + (size - 1) / 2
    return DrawnSagittal(image, placed[:BODIES], placed[BODIES, :2], masks, anatomy, seed)


def _tissues(grid: Grid, corners: Array, *, inside: Array, grays: dict[str, float], rng: np.random.Generator) -> Field:
    """Return gray levels in [0, 1] from the corners of the vertebrae and the distances to them."""
    centers, posterior = corners.mean(axis=1), corners[:, 1::2].reshape(-1, 2)
    order = np.argsort(posterior[:, 1])
    wall = np.interp(grid.y, posterior[order, 1], posterior[order, 0])  # x of the posterior walls
    behind = grid.x - wall
    skin = behind - rng.uniform(60, 80)
    belly = -behind - rng.uniform(120, 150)
    gray = np.full(grid.x.shape, grays["muscle"])
    wave = [rng.uniform(6, 18, 2), rng.uniform(0, 6, 2)]
    warped = [
        axis + 12 * np.sin(other / width + shift)
        for axis, other, width, shift in zip((grid.x, grid.y), (grid.y, grid.x), *wave)
    ]
    blobs = np.sin(warped[0] / rng.uniform(8, 14)) * np.sin(warped[1] / rng.uniform(8, 16))
    gray += (grays["fat"] - grays["muscle"]) * soft(behind + 34, 4.0) * soft(0.3 - blobs, 0.8)  # fat of the abdomen
    gray = _paint(gray, grays["fat"], soft(rng.uniform(38, 48) - behind, 5.0))
    for upper, lower in pairwise(centers):  # spinous processes
        tip = (upper + lower) / 2 + (rng.uniform(42, 48), 12.0)
        gray = _paint(gray, grays["marrow"], soft(np.hypot((grid.x - tip[0]) / 2, grid.y - tip[1]) - 6.5, 2.0))
    canal = np.abs(behind - 10.0) - 8.0
    gray = _paint(gray, grays["fluid"], soft(canal, 1.5))
    cord = np.maximum(np.abs(behind - 8.0) - 3.5, grid.y - centers[2, 1])
    gray = _paint(gray, grays["cord"], soft(cord, 1.5))
    for place in range(BODIES):
        upper, lower = corners[place], corners[place + 1]
        disc = _distance(grid, np.stack([upper[2], upper[3], lower[0], lower[1]]))
        gray = _paint(gray, grays["disc"], soft(disc - 0.5, 1.2))
        nucleus = grays["nucleus"] if rng.random() < 0.6 else grays["disc"]
        gray = _paint(gray, nucleus, soft(disc + 3.0, 2.0))
    for number, distance in enumerate(inside):
        gray = _paint(gray, grays["cortex"], soft(distance - 0.8, 1.0))
        marrow = grays["marrow"] * rng.uniform(0.85, 1.15)
        gray = _paint(gray, marrow, soft(distance + (0.4 if number < BODIES else 0.8), 1.0))
    outside = smooth_union(-skin, -belly, radius=1.0)
    return np.asarray(gray * soft(-outside, 2.0))


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
