"""Lateral x-ray phantoms of the spine with exactly known kyphosis and lordosis."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from spinealign.imaging.slice import Slice
from spinealign.phantoms.drawn_spine import (
    BOTTOM_HEIGHT_MM,
    COUNT,
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

TOP_DEPTH_MM, BOTTOM_DEPTH_MM = 17.0, 35.0  # T1 and L5
T1, T12, L1, L5 = 0, 11, 12, 16
ABOVE, BELOW = 2, 2  # cervical and sacral vertebrae that are drawn but do not count


def draw_lateral_spine(
    kyphosis_deg: float = 40.0,
    lordosis_deg: float = 50.0,
    *,
    facing: Literal["left", "right"] = "left",
    seed: int = 0,
    height: int = 768,
) -> DrawnSpine:
    """Draw a lateral spine x-ray of 17 vertebrae, T1 to L5.

    Args:
        kyphosis_deg: Angle between the endplates of T1 and T12, negative if the thoracic spine is lordotic.
        lordosis_deg: Angle between the endplates of L1 and L5, negative if the lumbar spine is kyphotic.
        facing: Side of the image to which the patient looks.
        seed: Seed of the anatomy, the tissue and the noise, not negative.
        height: Height of the image in pixels, at least 128. The width follows from the spine.

    Returns:
        The phantom. The same arguments give the same pixels.

    Raises:
        ValueError: If an argument is out of range.
    """
    rng = np.random.default_rng(seed)
    junction = 0.4 * lordosis_deg
    tilts = tilt_profile(
        [junction - kyphosis_deg, junction, junction, junction - lordosis_deg], places=(T1, T12, L1, L5)
    )
    share = np.arange(-ABOVE, COUNT + BELOW) / (COUNT - 1)
    depths, heights = (
        np.interp(share, (-0.1, 0, 1, 1.1), (0.9 * top, top, bottom, 0.7 * bottom)) * rng.uniform(0.92, 1.08)
        for top, bottom in ((TOP_DEPTH_MM, BOTTOM_DEPTH_MM), (TOP_HEIGHT_MM, BOTTOM_HEIGHT_MM))
    )
    sacral = tilts[-1] - np.array([12.0, 0.0])
    drawn = chain(np.concatenate([tilts[:1] - 4, tilts[:1], tilts, sacral]), widths=depths, heights=heights)
    film = Film.around(drawn[ABOVE:-BELOW], height=height, aspect=rng.uniform(0.33, 0.48), margin_mm=60.0)
    shadow = _soft_tissue(film, drawn[ABOVE:-BELOW], rng)
    for number, corners in enumerate(drawn, start=-ABOVE):
        near = film.near(corners.mean(axis=0), 2.5 * depths[number + ABOVE])
        shadow[near] += _vertebra(film.local(near, corners), corners, number / (COUNT - 1), rng)
        if 0 < number < 12:
            near = film.near(corners.mean(axis=0), 140.0)
            shadow[near] += _ribs(film.local(near, corners), depths[number + ABOVE], rng)
    pitch, origin = film.grid.pitch_mm, f"lateral spine phantom {seed}"
    image = Slice(expose(shadow, rng), spacing_mm=(pitch, pitch), modality="DX", origin=origin)
    spine = DrawnSpine(image, film.pixels(drawn[ABOVE:-BELOW]), tilts, seed)
    return spine if facing == "left" else _mirrored(spine)


def _mirrored(spine: DrawnSpine) -> DrawnSpine:
    corners = spine.corners[:, [1, 0, 3, 2]] * [-1, 1] + [spine.slice.shape[1] - 1, 0]
    image = replace(spine.slice, pixels=np.ascontiguousarray(spine.slice.pixels[:, ::-1]))
    return replace(spine, slice=image, corners=corners, tilts_deg=-spine.tilts_deg)


def _soft_tissue(film: Film, corners: Array, rng: np.random.Generator) -> Field:
    """Return the shadow of shoulders, chest, abdomen, buttocks and back; air and lungs are dark."""
    x, y = film.grid.x, film.grid.y
    centers = corners.mean(axis=1)
    top, bottom = centers[0, 1], centers[-1, 1]
    spine = np.interp(y[:, 0], centers[:, 1], centers[:, 0])[:, None]
    down = (y - top) / (bottom - top)
    back = x - spine - rng.uniform(55, 70) - 25 * np.clip(down - 0.7, 0, 1)  # behind the skin
    front = spine - x - rng.uniform(140, 170) * np.clip(0.45 + 2.5 * down, 0.35, 1)
    shadow = (1.5 + rng.uniform(0.2, 0.8) * down) * soft(np.maximum(back, front), 10.0)
    shadow += 0.7 * soft(np.hypot(x - spine + 25, 1.2 * (y - top)) - 60, 40.0)  # shoulders
    diaphragm = top + (0.58 + rng.uniform(-0.04, 0.04)) * (bottom - top) + 0.006 * (x - spine + 60) ** 2
    lung = np.maximum(np.maximum(y - diaphragm, top + 35 - y), np.maximum(x - spine - 25, spine - x - 130))
    shadow -= rng.uniform(0.5, 0.9) * soft(lung, 12.0)
    heart = superellipse(film.grid, (float(spine.min()) - 60, top + 0.42 * (bottom - top)), half_axes=(45.0, 55.0))
    ilium = superellipse(film.grid, (float(centers[-1, 0]) + 5, float(bottom) + 25), half_axes=(55.0, 45.0), power=2.4)
    return np.asarray(shadow + 0.35 * soft(heart, 12.0) + 0.3 * soft(ilium, 2.5))


def _vertebra(local: Grid, corners: Array, share: float, rng: np.random.Generator) -> Field:
    """Return the shadow of one vertebra seen from the right: body in front (left), pedicle, facets, spinous process.

    `share` is the position along the spine, from 0 for T1 to 1 for L5.
    """
    depth, height = (float(np.linalg.norm(corners[place] - corners[0])) for place in (1, 2))
    shadow = body_shadow(local, (depth, height), rng=rng)
    rear = depth / 2
    pedicle = capsule(local, (rear - 1, -0.22 * height), end=(rear + 9, -0.22 * height), radius=0.16 * height)
    facets = superellipse(local, (rear + 13, 0.0), half_axes=(5.0, 0.6 * height), power=2.3)
    drop = float(np.interp(share, (0, 0.4, 0.7, 1), (0.5, 1.3, 0.5, 0.2))) * height
    tip = (rear + 15 + rng.uniform(20, 26), drop + 2)
    spinous = capsule(local, (rear + 15, 2.0), end=tip, radius=float(np.interp(share, (0, 1), (3.0, 6.0))))
    return shadow + 0.35 * local.coverage(pedicle) + 0.3 * local.coverage(facets) + 0.25 * local.coverage(spinous)


def _ribs(local: Grid, depth: float, rng: np.random.Generator) -> Field:
    """Return the shadow of the ribs of both sides, which bend back from a vertebra and slope down to the front."""
    shadow = np.zeros(local.x.shape)
    for _ in range(2):
        slope, reach, back = rng.uniform(0.45, 0.7), rng.uniform(80, 120), rng.uniform(18, 32)
        away = depth / 2 + back - local.x
        middle = 4 + slope * away - 20 * np.exp(-away.clip(0) / 12)
        band = np.maximum(np.abs(local.y - middle) - 4.0, np.maximum(-away, away - reach))
        shadow += 0.12 * local.coverage(band) + 0.12 * local.coverage(np.abs(band + 0.6) - 0.6)
    return shadow
