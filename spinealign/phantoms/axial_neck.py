"""Axial CT phantoms of the neck, with or without a fracture of known position and size.

Phantoms are the positive control of this library: images in which the finding is real and no shortcut exists. Anatomy
and fracture are drawn from separate random streams, so a seed determines the neck, and a fractured phantom differs from
the intact one of the same seed only at the break. Proportions follow the subaxial cervical spine (Panjabi et al., Spine
16, 1991, 861).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinealign.imaging.slice import Slice
from spinealign.phantoms.soft_tissue import Neck, draw_soft_tissue, scan
from spinealign.phantoms.vertebra import Break, Kind, Site, Vertebra, draw_vertebra

MIN_BREAK_MM, MAX_BREAK_MM = 1.0, 8.0


@dataclass(frozen=True, eq=False)
class Fracture:
    """A break of the vertebral ring.

    Attributes:
        mask: bool of shape (H, W), true where bone is missing or displaced.
        size_mm: Width of the gap, or length of the step of a displaced fragment.
        kind: `gap` or `displaced`.
        site: Broken part of the ring.
    """

    mask: NDArray[np.bool_]
    size_mm: float
    kind: Kind
    site: Site


@dataclass(frozen=True, eq=False)
class Phantom:
    """A drawn slice with its ground truth.

    Attributes:
        slice: Image in HU with its pixel spacing.
        fracture: The break; None if the neck is intact.
        seed: Seed that reproduces the phantom.
        level: Cervical level of the vertebra, `C3` to `C7`.
    """

    slice: Slice
    fracture: Fracture | None
    seed: int
    level: str

    @property
    def label(self) -> str:
        """`fracture` or `normal`."""
        return "normal" if self.fracture is None else "fracture"


def draw_phantom(
    seed: int, *, fractured: bool | None = None, break_mm: float | None = None, size: int = 256
) -> Phantom:
    """Draw one axial neck CT.

    Args:
        seed: Random seed, not negative.
        fractured: Whether the ring is broken; None draws it from the seed with probability 0.5.
        break_mm: Size of the break in mm, from 1 to 8; None draws it uniformly from this range.
        size: Height and width in pixels, at least 64.

    Returns:
        The phantom. The same arguments give the same pixels.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> draw_phantom(7, fractured=True).label
        'fracture'
    """
    if size < 64:
        raise ValueError(f"size must be at least 64 pixels, got {size}.")
    if break_mm is not None and not MIN_BREAK_MM <= break_mm <= MAX_BREAK_MM:
        raise ValueError(f"break_mm must be between {MIN_BREAK_MM:g} and {MAX_BREAK_MM:g}, got {break_mm}.")
    anatomy, injury, scanner = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    neck, vertebra = Neck(anatomy), Vertebra(anatomy)
    chance, drawn_mm = bool(injury.random() < 0.5), float(injury.uniform(MIN_BREAK_MM, MAX_BREAK_MM))
    broken: Break | None = Break(vertebra, drawn_mm if break_mm is None else break_mm, rng=injury)

    scanner_grid, grid = neck.grids(size)
    intact = grid.coverage(vertebra.distance(grid))
    if not (chance if fractured is None else fractured):
        broken = None
    bone, density = draw_vertebra(vertebra, grid, broken=broken)
    mask = np.abs(intact - bone) > 0.5
    fracture = Fracture(mask, broken.size_mm, broken.kind, broken.site) if broken else None
    tissue = draw_soft_tissue(neck, grid, body_front_mm=vertebra.body_center[1] - vertebra.body_half[1])
    hounsfield = scan(tissue + bone * (density - tissue), intact, grid=scanner_grid, rng=scanner)
    pixels, spacing_mm = hounsfield.astype(np.float32), (grid.pitch_mm, grid.pitch_mm)
    image = Slice(pixels, unit="HU", spacing_mm=spacing_mm, modality="CT", origin=f"phantom {seed}")
    return Phantom(image, fracture, seed, vertebra.level)
