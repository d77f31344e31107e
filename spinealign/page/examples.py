"""Example images for the page, drawn at start-up; none shows a patient."""

from __future__ import annotations

from dataclasses import dataclass

from spinealign.imaging.slice import Slice
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.phantoms.scene import draw_scene

SEED = 1_000_007
SIDE = 384


@dataclass(frozen=True, eq=False)
class Example:
    """Example image.

    Attributes:
        name: Label of its button.
        slice: The image.
    """

    name: str
    slice: Slice


def draw_examples() -> tuple[Example, ...]:
    """Draw an intact neck, a large and a small break, and an image that is not a CT slice."""
    intact = draw_phantom(SEED, fractured=False, size=SIDE)
    large = draw_phantom(SEED + 1, fractured=True, break_mm=5.0, size=SIDE)
    small = draw_phantom(SEED + 2, fractured=True, break_mm=1.5, size=SIDE)
    return (
        Example("Intact neck", intact.slice),
        Example("5 mm break", large.slice),
        Example("1.5 mm break", small.slice),
        Example("Not a CT slice", Slice(draw_scene(SIDE), origin="drawing")),
    )
