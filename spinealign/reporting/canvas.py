"""Canvas of the pictures of alignments: an image with lines, arcs and labels beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from spinealign.alignment.vertebra import Points

HEIGHT, WIDEST = 1000, 800  # of the image in pixels of the picture
LABELS, PADDING = 190, 14  # widths beside the image
DASH = 9.0  # length of a dash and of a gap
FINE = 2  # the picture is drawn larger and reduced, for smooth lines
GROUND, TEXT, NOTE, OUTLINE = (24, 27, 31), (236, 238, 240), (150, 157, 165), (176, 190, 200)

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Label:
    """Lines of text beside the image; the second one is large.

    Attributes:
        lines: At least two lines.
        color: Color of the first two.
        on_left: Whether it is left of the image.
        anchor: Point in the image to which a line leads, or None.
        height: Height of the middle of the label in the image, if there is room.
    """

    lines: tuple[str, ...]
    color: Color
    on_left: bool
    anchor: Points | None
    height: float


class Canvas:
    """A picture that is drawn larger than it will be; points are in the image, places of text in the final picture."""

    def __init__(self, size: tuple[int, int], *, origin: Points) -> None:
        self.size, self.origin = size, origin
        self._image = np.zeros(2)
        self._picture = Image.new("RGB", (size[0] * FINE, size[1] * FINE), GROUND)
        self._draw = ImageDraw.Draw(self._picture)

    def paste(self, film: Image.Image, size: Points) -> None:
        """Draw an image of a size at the origin."""
        self._image = size
        large = film.resize((int(size[0]) * FINE, int(size[1]) * FINE), Image.Resampling.BICUBIC)
        self._picture.paste(large, (int(self.origin[0]) * FINE, int(self.origin[1]) * FINE))

    def contains(self, points: Points) -> bool:
        """Return whether points are in the image."""
        return bool((points >= 0).all() and (points <= self._image).all())

    def line(self, points: Points, color: Color, *, width: float) -> None:
        """Draw a line through points, with dark edges."""
        for shade, extra in ((GROUND, 1.5), (color, 0.0)):  # dark edges, to be seen on bright bone
            self._draw.line(self._placed(points), fill=shade, width=round((width + extra) * FINE), joint="curve")

    def dot(self, at: Points, color: Color, *, radius: float) -> None:
        """Draw a disc around a point."""
        self._draw.ellipse(self._placed(np.stack([at - radius, at + radius])), fill=color)

    def polygon(self, points: Points, color: Color) -> None:
        """Fill a polygon."""
        self._draw.polygon(self._placed(points), fill=color)

    def dashed(self, points: Points, color: Color, *, width: float) -> None:
        """Draw a dashed line through points."""
        steps = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        for start in np.arange(0, steps[-1], 2 * DASH):
            along = np.linspace(start, min(start + DASH, steps[-1]), 4)
            self.line(np.stack([np.interp(along, steps, axis) for axis in points.T], axis=1), color, width=width)

    def text(self, at: tuple[float, float], text: str, *, size: int, color: Color = TEXT) -> None:
        """Write a text to the right of and below a place of the picture."""
        self._draw.text((at[0] * FINE, at[1] * FINE), text, fill=color, font=font(size * FINE))

    def name(self, at: Points, text: str, *, size: int, color: Color = TEXT) -> None:
        """Write a text around a point of the image, with a dark edge."""
        place, face = self._placed(at[None])[0], font(size * FINE)
        self._draw.text(place, text, fill=color, font=face, anchor="mm", stroke_width=FINE, stroke_fill=GROUND)

    def reduced(self) -> Image.Image:
        """Return the finished picture."""
        return self._picture.reduce(FINE)

    def _placed(self, points: Points) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in (points + self.origin) * FINE]


def fit_image(shape: tuple[int, ...], spacing_mm: tuple[float, float] | None) -> tuple[Points, Points]:
    """Return the pixels of the picture for a pixel of an image, along x and y, and the size of the image in it."""
    pixel = np.array((spacing_mm or (1.0, 1.0))[::-1])  # the picture has square pixels
    whole = np.array(shape[::-1]) * pixel
    scale = pixel * (np.array([WIDEST, HEIGHT]) / whole).min()
    return scale, (shape[::-1] * scale).round().clip(1).astype(int)


def frame_image(
    gray: NDArray[np.uint8],
    size: Points,
    *,
    sides: tuple[float, float],
    heading: Sequence[str],
    footer: Sequence[str],
    room: float = 0.0,
) -> Canvas:
    """Return a canvas with an image of a size, room of two widths beside it, and text above and below.

    The room beside the image is as high as the image, or `room` if that is more.
    """
    width = int(sides[0] + size[0] + sides[1])
    heading = wrap_lines(heading, font(20), width=width - 2 * PADDING)
    footer = wrap_lines(footer, font(14), width=width - 2 * PADDING)
    top, bottom = 2 * PADDING + 28 * len(heading), 3 * PADDING + 20 * len(footer)
    below = top + max(int(size[1]), int(room))
    canvas = Canvas((width, below + bottom), origin=np.array([int(sides[0]), top]))
    for number, line in enumerate(heading):
        canvas.text((PADDING, PADDING + 28 * number), line, size=20)
    for number, line in enumerate(footer):
        canvas.text((PADDING, below + PADDING + 20 * number), line, size=14, color=NOTE)
    canvas.paste(Image.fromarray(gray), size)
    return canvas


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font of Pillow in a size."""
    return ImageFont.load_default(size)


def wrap_lines(lines: Sequence[str], face: ImageFont.FreeTypeFont | ImageFont.ImageFont, *, width: float) -> list[str]:
    """Return lines that are at most of a width."""
    shown: list[str] = []
    for line in lines:
        shown.append("")
        for word in line.split():
            joined = f"{shown[-1]} {word}".strip()
            if face.getlength(joined) > width and shown[-1]:
                shown.append(word)
            else:
                shown[-1] = joined
    return shown


def draw_arc(canvas: Canvas, vertex: Points, *, rays: Points, color: Color) -> None:
    """Draw the arc of an angle; `rays` are two unit vectors from its vertex."""
    start, end = np.arctan2(rays[:, 1], rays[:, 0])
    turn = (end - start + np.pi) % (2 * np.pi) - np.pi
    radius = float(np.clip(30 / max(abs(turn), 0.2), 34, 80))
    angles = start + np.linspace(0, turn, 40)
    for ray in rays:
        canvas.line(np.stack([vertex, vertex + (radius + 8) * ray]), color, width=1.5)
    canvas.line(vertex + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), color, width=2)


def label_height(lines: int) -> int:
    """Return the height of a label with a number of lines."""
    return 50 + 19 * (lines - 2) + PADDING


def draw_labels(canvas: Canvas, labels: Sequence[Label], *, limit: float) -> None:
    """Draw the labels of one side below each other, each as near to its anchor as the others and the limit allow."""
    labels = sorted(labels, key=lambda label: label.height)
    heights = [label_height(len(label.lines)) for label in labels]
    starts: list[float] = []
    for label, height in zip(labels, heights):
        free = starts[-1] + heights[len(starts) - 1] if starts else 0.0
        starts.append(max(free, label.height - height / 2))
    for place in range(len(labels) - 1, -1, -1):
        starts[place] = limit = min(starts[place], limit - heights[place])
    for label, start in zip(labels, starts):
        x, y = PADDING if label.on_left else canvas.size[0] - LABELS + PADDING, start + canvas.origin[1]
        if label.anchor is not None:
            end = np.array([LABELS - PADDING if label.on_left else x - 6, y + 12]) - canvas.origin
            canvas.line(np.stack([label.anchor, end]), label.color, width=0.75)
        canvas.text((x, y), label.lines[0], size=15, color=label.color)
        canvas.text((x, y + 20), label.lines[1], size=22, color=label.color)
        for number, line in enumerate(label.lines[2:]):
            canvas.text((x, y + 50 + 19 * number), line, size=15)
