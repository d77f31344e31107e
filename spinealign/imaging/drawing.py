"""Pictures for people: heat over gray, and sheets of captioned tiles."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

# Black, purple, red, orange, pale yellow: brightness rises evenly, so the map reads in gray print too.
_HEAT_STOPS = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], float)
_INK, _PAPER, _QUIET = (28, 32, 38), (255, 255, 255), (98, 106, 116)


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture of a sheet.

    Attributes:
        image: uint8 of shape (H, W) or (H, W, 3).
        title: The line below it.
        note: A quieter line below the title.
        ring: Row, column and radius, as shares of the image's side, of a ring drawn around a place.
    """

    image: NDArray[np.uint8]
    title: str = ""
    note: str = ""
    ring: tuple[float, float, float] | None = None


def overlay_heat(gray: NDArray[np.uint8], heat: NDArray[np.floating], *, opacity: float = 0.75) -> NDArray[np.uint8]:
    """Lay a heat map over an image.

    Args:
        gray: The image, of shape (H, W).
        heat: Values in [0, 1], of the same shape; cold places stay gray.
        opacity: Share of the color at the hottest place, in [0, 1].

    Returns:
        RGB of shape (H, W, 3).
    """
    share = opacity * np.clip(heat, 0, 1)[..., None]
    return np.round(gray[..., None] * (1 - share) + _heat_color(heat) * share).astype(np.uint8)


def heat_layer(heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Draw a heat map to be laid over an image elsewhere: the hotter a place, the less transparent.

    Args:
        heat: Values in [0, 1], of shape (H, W).

    Returns:
        RGBA of shape (H, W, 4).
    """
    opacity = 255 * np.clip(heat, 0, 1)[..., None]
    return np.round(np.concatenate([_heat_color(heat), opacity], axis=-1)).astype(np.uint8)


def _heat_color(heat: NDArray[np.floating]) -> NDArray[np.float64]:
    stops = np.linspace(0, 1, len(_HEAT_STOPS))
    return np.stack([np.interp(heat, stops, _HEAT_STOPS[:, channel]) for channel in range(3)], axis=-1)


def draw_sheet(rows: Sequence[Sequence[Tile]], *, side: int = 320, heading: str = "", footer: str = "") -> Image.Image:
    """Arrange tiles on one sheet.

    Args:
        rows: Rows of tiles; all rows have the same number.
        side: Height and width of a tile's image in pixels.
        heading: A line above everything.
        footer: A line below everything.

    Returns:
        The sheet in RGB.
    """
    margin, caption = 16, 46
    top = margin + (34 if heading else 0)
    width = margin + len(rows[0]) * (side + margin)
    height = top + len(rows) * (side + caption + margin) + (24 if footer else 0)
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((margin, margin), heading, fill=_INK, font=ImageFont.load_default(20))
    for row, tiles in enumerate(rows):
        for column, tile in enumerate(tiles):
            left, upper = margin + column * (side + margin), top + row * (side + caption + margin)
            image = Image.fromarray(tile.image).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
            sheet.paste(image, (left, upper))
            if tile.ring:
                y, x, radius = (value * side for value in tile.ring)
                box = (left + x - radius, upper + y - radius, left + x + radius, upper + y + radius)
                pen.ellipse(box, outline=(90, 200, 250), width=2)
            pen.text((left, upper + side + 6), tile.title, fill=_INK, font=ImageFont.load_default(16))
            pen.text((left, upper + side + 26), tile.note, fill=_QUIET, font=ImageFont.load_default(13))
    pen.text((margin, height - 30), footer, fill=_QUIET, font=ImageFont.load_default(13))
    return sheet


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG beside its place and rename it; missing folders are made.

    Args:
        picture: What is written.
        path: Where it goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.part")
    try:
        picture.save(staging, format="PNG")
        os.replace(staging, path)
    finally:
        staging.unlink(missing_ok=True)
