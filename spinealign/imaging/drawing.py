"""Drawing: heat map overlays and contact sheets of captioned images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from spinealign.writing import new_file

# Black, purple, red, orange, pale yellow. Brightness increases evenly, so the map is readable in gray print.
_HEAT_STOPS = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], float)
_TEXT, _BACKGROUND, _NOTE = (28, 32, 38), (255, 255, 255), (98, 106, 116)


@dataclass(frozen=True, eq=False)
class Tile:
    """One image of a sheet, uint8 of shape (H, W) or (H, W, 3), with a title and a smaller note below.

    `ring` is the row, column and radius of a ring drawn on the image, as fractions of its side.
    """

    image: NDArray[np.uint8]
    title: str = ""
    note: str = ""
    ring: tuple[float, float, float] | None = None


def overlay_heat(gray: NDArray[np.uint8], heat: NDArray[np.floating], *, opacity: float = 0.75) -> NDArray[np.uint8]:
    """Blend a heat map in [0, 1] over an image, both of shape (H, W), to RGB of shape (H, W, 3).

    `opacity` is the weight of the color where heat is 1; where it is 0, the image stays gray.
    """
    share = opacity * np.clip(heat, 0, 1)[..., None]
    return np.round(gray[..., None] * (1 - share) + _heat_color(heat) * share).astype(np.uint8)


def heat_layer(heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return a heat map of shape (H, W) in [0, 1] as RGBA of shape (H, W, 4); opacity increases with heat."""
    opacity = 255 * np.clip(heat, 0, 1)[..., None]
    return np.round(np.concatenate([_heat_color(heat), opacity], axis=-1)).astype(np.uint8)


def _heat_color(heat: NDArray[np.floating]) -> NDArray[np.float64]:
    stops = np.linspace(0, 1, len(_HEAT_STOPS))
    return np.stack([np.interp(heat, stops, _HEAT_STOPS[:, channel]) for channel in range(3)], axis=-1)


def draw_sheet(
    rows: Sequence[Sequence[Tile]], *, side: int = 320, heading: str = "", footer: str = "", zoom: float = 1.0
) -> Image.Image:
    """Arrange rows of tiles in an RGB image; each tile shows side x side pixels, and `zoom` enlarges the text."""
    margin, caption = 16, round(46 * zoom)
    top = margin + (round(34 * zoom) if heading else 0)
    width = margin + len(rows[0]) * (side + margin)
    lines, pitch = footer.splitlines(), round(19 * zoom)
    bottom = round(24 * zoom) + pitch * (len(lines) - 1) if lines else 0
    sheet = Image.new("RGB", (width, top + len(rows) * (side + caption + margin) + bottom), _BACKGROUND)
    canvas = ImageDraw.Draw(sheet)
    canvas.text((margin, margin), heading, fill=_TEXT, font=ImageFont.load_default(20 * zoom))
    for tiles in rows:
        for column, tile in enumerate(tiles):
            _draw_tile(sheet, tile, at=(margin + column * (side + margin), top), side=side, zoom=zoom)
        top += side + caption + margin
    for number, line in enumerate(lines):
        canvas.text((margin, top + pitch * number - 6), line, fill=_NOTE, font=ImageFont.load_default(13 * zoom))
    return sheet


def _draw_tile(sheet: Image.Image, tile: Tile, *, at: tuple[int, int], side: int, zoom: float) -> None:
    """Draw a tile, whose image is resized to side x side pixels, with its ring and its caption."""
    canvas, (left, upper) = ImageDraw.Draw(sheet), at
    image = Image.fromarray(tile.image).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    sheet.paste(image, at)
    if tile.ring:
        y, x, radius = (value * side for value in tile.ring)
        box = (left + x - radius, upper + y - radius, left + x + radius, upper + y + radius)
        canvas.ellipse(box, outline=(90, 200, 250), width=round(2 * zoom))
    for text, size, color, y in ((tile.title, 16, _TEXT, 6), (tile.note, 13, _NOTE, 26)):
        font = ImageFont.load_default(size * zoom)
        canvas.text((left, upper + side + y * zoom), _fitted(text, font, side), fill=color, font=font)


def _fitted(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """Return a text whose middle is left out if it is wider than `width` pixels."""
    shown, kept = text, len(text)
    while font.getlength(shown) > width:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}...{text[len(text) - kept // 2 :]}"
    return shown


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG atomically; missing folders are created, and an existing file is replaced."""
    with new_file(path) as staging:
        picture.save(staging, format="PNG")
