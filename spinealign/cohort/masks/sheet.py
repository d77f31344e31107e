"""Contact sheet of slices with outlines of their masks, to look at labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from spinealign.cohort.masks.labeled import BODY, CANAL, DISC, L5, S1, LabeledSlice, Mask
from spinealign.imaging.drawing import Tile, draw_sheet

_GREEN = (60, 220, 60)
_COLORS = (
    (DISC, (240, 90, 60)),
    (CANAL, (200, 120, 255)),
    (L5, (255, 230, 0)),
    (S1, (0, 200, 255)),
)
_SHADES = ((BODY, (0, 60, 0)), (S1, (0, 0, 90)))  # where they are ignored
_ZOOM = 2


def contact_sheet(slices: Sequence[LabeledSlice], *, columns: int = 8, side: int = 320) -> Image.Image:
    """Return a sheet of slices: bodies green, L5 yellow, S1 blue, discs red, canal violet, and the top of S1 a cross.

    Where bodies or S1 are ignored, the picture is tinted green or blue.
    """
    tiles = [Tile(_drawn(item), item.name[:28], item.source) for item in slices]
    tiles += [Tile(np.zeros((1, 1), np.uint8))] * (-len(tiles) % columns)
    return draw_sheet([tiles[start : start + columns] for start in range(0, len(tiles), columns)], side=side)


def _drawn(item: LabeledSlice) -> NDArray[np.uint8]:
    picture = np.repeat(np.clip(item.gray * 220, 0, 220)[..., None], 3, axis=-1)
    for structure, shade in _SHADES:
        picture[(item.ignored & structure) > 0] += shade
    picture = picture.repeat(_ZOOM, axis=0).repeat(_ZOOM, axis=1)
    for body in item.body_masks():
        picture[_outline(body)] = _GREEN
    for structure, color in _COLORS:
        picture[_outline(item.mask(structure))] = color
    if item.sacrum is not None:
        x, y = (round((value + 0.5) * _ZOOM) for value in item.sacrum)
        picture[max(y - 1, 0) : y + 2, max(x - 5, 0) : x + 6] = 255
        picture[max(y - 5, 0) : y + 6, max(x - 1, 0) : x + 2] = 255
    side = max(picture.shape[:2])
    padding = [(0, side - size) for size in picture.shape[:2]]
    return np.pad(picture.clip(0, 255).astype(np.uint8), [*padding, (0, 0)])


def _outline(mask: Mask) -> Mask:
    large = mask.repeat(_ZOOM, axis=0).repeat(_ZOOM, axis=1)
    edge: Mask = large & ~ndimage.binary_erosion(large)
    return edge
