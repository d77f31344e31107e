"""Soft tissue around the vertebra of a phantom, and the scanner model."""

from __future__ import annotations

import numpy as np

from spinealign.phantoms.geometry import Field, Grid, Point, superellipse

AIR_HU, FAT_HU, PADDING_HU = -1000.0, -95.0, -2000.0


class Neck:
    """A random neck, its pose and the field of view; lengths in mm, densities in HU, origin at the center of the canal.

    The order of the random draws determines the image; do not change it.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.field_of_view_mm = rng.uniform(95, 140)
        self.position_mm = (rng.uniform(-15, 15), rng.uniform(-15, 15))
        self.angle_deg = rng.uniform(-25, 25)
        self.half_axes = (rng.uniform(54, 74), rng.uniform(52, 68))
        self.center = (rng.uniform(-3, 3), rng.uniform(-8, 2))
        self.fat_mm = rng.uniform(3, 10)
        self.muscle_hu = rng.uniform(40, 70)
        self.airway = (rng.uniform(5, 11), rng.uniform(4, 9), rng.uniform(5, 12))
        self.seed = int(rng.integers(2**32))

    def grids(self, size: int) -> tuple[Grid, Grid]:
        """Return the pixels in the coordinates of the scanner and of the vertebra, each of shape (size, size)."""
        scanner = Grid.square(size, self.field_of_view_mm)
        return scanner, scanner.placed(self.position_mm, self.angle_deg)


def draw_soft_tissue(neck: Neck, grid: Grid, *, body_front_mm: float) -> Field:
    """Return the density of all tissue except bone in HU, shape (H, W).

    `grid` has the coordinates of the vertebra, whose body begins at y = `body_front_mm` (negative).
    """
    rng = np.random.default_rng(neck.seed)
    image = np.full(grid.x.shape, AIR_HU)

    def fill(distance: Field, density: float) -> None:
        share = grid.coverage(distance)
        image[:] += share * (density - image)

    skin = superellipse(grid, neck.center, half_axes=neck.half_axes, power=2.2)
    fill(skin, rng.uniform(20, 60))
    fill(skin + 1.8, FAT_HU)
    fill(skin + 1.8 + neck.fat_mm, neck.muscle_hu)
    for angle_deg in (100, 75, 50, 25, 0, -25):  # muscles in fat planes, from posterior to anterior
        for side in (-1, 1):
            angle, radius = np.deg2rad(angle_deg + rng.normal(0, 8)), rng.uniform(24, 42)
            muscle = grid.placed((side * radius * np.cos(angle), radius * np.sin(angle)), side * angle_deg + 90)
            belly = superellipse(muscle, (0.0, 0.0), half_axes=(rng.uniform(9, 16), rng.uniform(5, 9)))
            fill(belly - rng.uniform(0.3, 1.0), rng.uniform(-70, 10))
            fill(belly, neck.muscle_hu + rng.normal(0, 5))
    for side in (-1, 1):  # carotid artery and jugular vein, sometimes with contrast medium
        contrast = rng.uniform(150, 320) if rng.random() < 0.4 else rng.uniform(35, 55)
        for _ in range(2):
            center = (side * rng.uniform(20, 32), body_front_mm - rng.uniform(-8, 8))
            fill(superellipse(grid, center, half_axes=(rng.uniform(2.5, 4.5), rng.uniform(2.5, 5.5))), contrast)
    width, depth, distance = neck.airway
    airway = superellipse(grid, (rng.uniform(-2, 2), body_front_mm - distance - depth), half_axes=(width, depth))
    if rng.random() < 0.5:  # calcified thyroid cartilage or hyoid: a bright arc that is not bone of the vertebra
        arc = np.maximum(np.abs(airway - 5.0) - rng.uniform(0.6, 1.3), grid.y - body_front_mm + distance)
        fill(arc, rng.uniform(150, 600))
    fill(airway - 1.2, neck.muscle_hu + 20)
    fill(airway, AIR_HU)
    spinal_cord = superellipse(grid, (0.0, -0.5), half_axes=(6.0, 4.0))
    fill(superellipse(grid, (0.0, 0.0), half_axes=(9.5, 6.5)), 12.0)
    fill(spinal_cord, 38.0)
    if rng.random() < 0.6:  # head rest
        rest = superellipse(grid, (0.0, neck.center[1]), half_axes=(neck.half_axes[0] + 9, neck.half_axes[1] + 8))
        fill(np.maximum(np.abs(rest) - 2.0, neck.center[1] + 20 - grid.y), rng.uniform(-800, -300))
    return image


def scan(density: Field, bone: Field, *, grid: Grid, rng: np.random.Generator) -> Field:
    """Simulate a CT scan: blur, streaks, shading, noise, and a round field of view, with `PADDING_HU` outside.

    `density` in HU and `bone`, the fraction of bone, have the shape (H, W); `grid` has the coordinates of the scanner.
    """
    sharpness = rng.uniform(0.25, 0.5) / grid.pitch_mm
    image = _blur(density, (sharpness, sharpness))
    image += _streaks(bone, grid, rng) + _shading(image.shape, rng)
    grain = rng.uniform(0.3, 0.8)
    noise = _blur(rng.normal(size=image.shape), (grain, grain))
    image += noise * rng.uniform(12, 60) / noise.std()
    radius = grid.pitch_mm * (image.shape[0] / 2 - 1)
    return np.where(np.hypot(grid.x, grid.y) < radius, np.maximum(image, -1024.0), PADDING_HU)


def _streaks(bone: Field, grid: Grid, rng: np.random.Generator) -> Field:
    """Draw streaks that radiate from bone, and the horizontal bands caused by the shoulders, in HU."""
    total = bone.sum()
    center = ((grid.x * bone).sum() / total, (grid.y * bone).sum() / total)
    offset = grid.placed((center[0] + rng.uniform(-15, 15), center[1] + rng.uniform(-12, 12)), 0.0)
    angle, radius = np.arctan2(offset.y, offset.x), np.hypot(offset.x, offset.y)
    waves = [np.sin(k * angle + rng.uniform(0, 2 * np.pi)) for k in rng.integers(6, 40, size=5)]
    rays = np.sum(waves, axis=0) * np.exp(-radius / 45)
    bands = _blur(rng.normal(size=bone.shape), (rng.uniform(0.8, 2.0), bone.shape[1] / 6))
    return rng.uniform(0, 16) * rays + rng.uniform(0, 30) * bands / bands.std()


def _shading(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """Draw smooth shading, as caused by scatter and beam hardening, in HU."""
    drift = _blur(rng.normal(size=shape), (shape[0] / 9, shape[1] / 9))
    return rng.uniform(10, 50) * drift / drift.std()


def _blur(image: Field, sigma: Point) -> Field:
    """Convolve with a periodic Gaussian of `sigma` pixels (down, along the rows), by Fourier transform."""
    down, along = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])
    transfer = np.exp(-2 * np.pi**2 * ((sigma[0] * down) ** 2 + (sigma[1] * along) ** 2))
    return np.fft.irfft2(np.fft.rfft2(image) * transfer, s=image.shape)
