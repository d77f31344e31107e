"""Frontal x-ray phantoms of the spine with exactly known curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spinealign.imaging.slice import Slice
from spinealign.phantoms.drawn_spine import (
    BOTTOM_HEIGHT_MM,
    COUNT,
    LARGEST_TILT_DEG,
    TOP_HEIGHT_MM,
    Array,
    DrawnSpine,
    Film,
    body_shadow,
    chain,
    expose,
    soft,
    tilt_profile,
)
from spinealign.phantoms.geometry import Field, Grid, capsule, superellipse

TOP_WIDTH_MM, BOTTOM_WIDTH_MM = 27.0, 46.0  # T1 and L5
ABOVE, BELOW = 2, 1  # cervical and sacral vertebrae that are drawn but do not count
LARGEST_CURVE_DEG = 110.0


def draw_frontal_spine(
    nodes_deg: Sequence[float], *, places: Sequence[int] | None = None, seed: int = 0, height: int = 768
) -> DrawnSpine:
    """Draw a frontal spine x-ray of 17 vertebrae.

    Args:
        nodes_deg: Tilts at equal distances along the spine in degrees, each within 80: `[0]` is straight, `[-20, 20]`
            one curve of 40 degrees, convex to the right, and `[-15, 15, -15]` two curves of 30 degrees.
        places: Indices of the vertebrae that have these tilts, see `tilt_profile`.
        seed: Seed of the anatomy, the tissue and the noise, not negative.
        height: Height of the image in pixels, at least 128. The width follows from the spine.

    Returns:
        The phantom. The same arguments give the same pixels.

    Raises:
        ValueError: If an argument is out of range.
    """
    tilts, rng = tilt_profile(nodes_deg, places=places), np.random.default_rng(seed)
    share = np.arange(-ABOVE, COUNT + BELOW) / (COUNT - 1)
    widths, heights = (
        np.interp(share, (-0.1, 0, 1), (0.8 * top, top, bottom)) * rng.uniform(0.92, 1.08)
        for top, bottom in ((TOP_WIDTH_MM, BOTTOM_WIDTH_MM), (TOP_HEIGHT_MM, BOTTOM_HEIGHT_MM))
    )
    drawn = chain(np.pad(tilts, (ABOVE, BELOW), mode="edge"), widths=widths, heights=heights)
    film = Film.around(drawn[ABOVE:-BELOW], height=height, aspect=rng.uniform(0.3, 0.45))
    shadow = _soft_tissue(film, drawn[ABOVE:-BELOW], rng)
    for number, corners in enumerate(drawn, start=-ABOVE):
        near = film.near(corners.mean(axis=0), 1.2 * widths[number + ABOVE])
        shadow[near] += _vertebra(film.local(near, corners), corners, rng) * (1.0 if 0 <= number < COUNT else 0.6)
        if 0 <= number < 12:
            near = film.near(corners.mean(axis=0), 130.0)
            shadow[near] += _ribs(film.local(near, corners), widths[number + ABOVE], rng)
    pitch = film.grid.pitch_mm
    image = Slice(expose(shadow, rng), spacing_mm=(pitch, pitch), modality="DX", origin=f"frontal spine phantom {seed}")
    return DrawnSpine(image, film.pixels(drawn[ABOVE:-BELOW]), tilts, seed)


def random_curve(rng: np.random.Generator) -> tuple[list[float], list[int]]:
    """Return nodes and places of a plausible spine: straight, or with one to three curves.

    The largest curve has up to 110 degrees, mostly less than 60, and the spine is upright on average.
    """
    count = int(rng.choice((1, 2, 3, 4), p=(0.1, 0.35, 0.4, 0.15)))
    if count == 1:
        return [float(rng.normal(0, 2))], [0]
    places = np.rint(np.linspace(rng.integers(0, 4), rng.integers(13, COUNT), count)).astype(int)
    places[1:-1] += rng.integers(-1, 2, size=count - 2)
    turned = rng.choice((-1, 1)) * rng.uniform(0.4, 1.0, size=count - 1) * (-1) ** np.arange(count - 1)
    nodes = np.concatenate([[0.0], np.cumsum(turned)])
    nodes *= min(float(rng.gamma(2.2, 14.0)), LARGEST_CURVE_DEG) / np.ptp(nodes)
    nodes -= (nodes.max() + nodes.min()) / 2  # within 55 degrees, so that no tilt is refused
    upright = tilt_profile(nodes.tolist(), places=places.tolist()).mean() - rng.normal(0, 2)
    return np.clip(nodes - upright, -LARGEST_TILT_DEG, LARGEST_TILT_DEG).tolist(), places.tolist()


def _soft_tissue(film: Film, corners: Array, rng: np.random.Generator) -> Field:
    """Return the shadow of shoulders, mediastinum, heart, abdomen and pelvis; the lungs are dark."""
    x, y, pitch = film.grid.x, film.grid.y, film.grid.pitch_mm
    top, bottom = corners[0, :, 1].mean(), corners[-1, :, 1].mean()
    spine = np.interp(y[:, 0], corners.mean(axis=1)[:, 1], corners.mean(axis=1)[:, 0])[:, None]
    axis = float(np.mean(spine))
    aside, down = np.abs(x - axis), (y - top) / (bottom - top)
    shadow = 1.6 - 0.3 * (aside / 130) ** 2 + rng.uniform(0.1, 0.7) * down
    dome = bottom - (0.42 + rng.uniform(-0.03, 0.03)) * (bottom - top) + 0.012 * (aside - 70) ** 2
    apex = top - 15 + 0.004 * (aside - 45) ** 2
    lung = np.maximum(np.maximum(y - dome, apex - y), rng.uniform(20, 28) - np.abs(x - spine))
    heart = superellipse(Grid(x, y, pitch), (axis + 28, top + 0.4 * (bottom - top)), half_axes=(38.0, 58.0), power=2.2)
    shadow -= rng.uniform(0.5, 1.1) * soft(lung, 7.0) * (1 - 0.7 * soft(heart, 12.0))
    shadow += 0.3 * np.exp(-(((x - spine) / 34.0) ** 2))
    for side in (-1, 1):
        clavicle = capsule(film.grid, (axis + side * 18, top + 14), end=(axis + side * 110, top - 8), radius=5.0)
        ilium = superellipse(film.grid, (axis + side * 95, bottom + 22), half_axes=(58.0, 62.0), power=2.4)
        shadow += 0.3 * soft(clavicle, 2.0) + 0.4 * soft(ilium, 2.5)
    return np.asarray(shadow)


def _vertebra(local: Grid, corners: Array, rng: np.random.Generator) -> Field:
    """Return the shadow of one vertebra: body, pedicles, transverse processes and spinous process."""
    width, height = (float(np.linalg.norm(corners[place] - corners[0])) for place in (1, 2))
    shadow = body_shadow(local, (width, height), rng=rng)
    for side in (-1, 1):
        ring = superellipse(local, (side * 0.32 * width, -0.12 * height), half_axes=(0.09 * width, 0.2 * height))
        shadow += 0.35 * local.coverage(np.abs(ring) - 0.6)
        transverse = capsule(
            local, (side * 0.45 * width, -0.1 * height), end=(side * 0.75 * width, -0.16 * height), radius=2.5
        )
        shadow += 0.25 * local.coverage(transverse)
    spinous = superellipse(local, (0.0, 0.3 * height), half_axes=(0.06 * width, 0.32 * height))
    return shadow + 0.3 * local.coverage(spinous)


def _ribs(local: Grid, width: float, rng: np.random.Generator) -> Field:
    """Return the shadow of a pair of ribs that leave a vertebra and slope down."""
    slope, reach = rng.uniform(0.25, 0.5), rng.uniform(60, 95)
    away = (np.abs(local.x) - 0.6 * width).clip(0)
    middle = -2.0 + slope * away + 0.004 * away**2
    band = np.maximum(np.abs(local.y - middle) - 4.0, np.maximum(0.6 * width - np.abs(local.x), away - reach))
    return 0.2 * local.coverage(band) + 0.15 * local.coverage(np.abs(band + 0.6) - 0.6)
