"""Picture of an alignment: the film with vertebrae, end vertebrae, endplate lines and angles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from spinealign.alignment.angle_drawing import AngleDrawing, construct_angle
from spinealign.alignment.result import Alignment, NamedCurve
from spinealign.alignment.vertebra import Points

HEIGHT, WIDEST = 1000, 800  # of the film in pixels of the picture
LABELS, PADDING = 190, 14  # widths beside the film
REACH = 260.0  # how far lines may leave the film
SMALLEST_DRAWN_DEG = 5.0  # smaller curves are within the error
FINE = 2  # the picture is drawn larger and reduced, for smooth lines
GROUND, TEXT, NOTE, OUTLINE = (24, 27, 31), (236, 238, 240), (150, 157, 165), (176, 190, 200)
COLORS = {"cobb_main": (255, 176, 0), "cobb_upper": (86, 180, 233), "cobb_lower": (72, 209, 148)}
TITLES = {"cobb_main": "main curve", "cobb_upper": "upper curve", "cobb_lower": "lower curve"}
FOOTER = (
    "In parentheses: 90 % interval. Triangle: apex. Left and right are those of the image.",
    "Research software, not a medical device.",
)

Color = tuple[int, int, int]


@dataclass(frozen=True)
class _Label:
    lines: tuple[str, ...]
    color: Color
    on_left: bool
    anchor: Points | None  # on the film
    height: float  # of the middle of the label on the film, if there is room


def draw_overlay(alignment: Alignment) -> Image.Image:
    """Draw the film of an alignment with its vertebrae and angles, as an RGB image.

    Compensatory curves below 5 degrees are left out.

    Raises:
        ValueError: If the alignment has no image.
    """
    if alignment.gray is None:
        raise ValueError("The alignment has no image to draw on; measure the image again.")
    pixel = np.array((alignment.spacing_mm or (1.0, 1.0))[::-1])  # the picture has square pixels
    whole = alignment.gray.shape[::-1] * pixel
    scale = pixel * (np.array([WIDEST, HEIGHT]) / whole).min()
    size = (alignment.gray.shape[::-1] * scale).round().clip(1).astype(int)
    corners = np.array([(each.corners + 0.5) * scale for each in alignment.vertebrae]).reshape(-1, 4, 2)
    low, high = np.array([-REACH, 4.0]), size + np.array([REACH, -4.0])
    drawn = [
        (curve, construct_angle(corners, curve.geometry, low=low, high=high))
        for curve in alignment.curves
        if curve.geometry.angle_deg >= SMALLEST_DRAWN_DEG
    ]
    points = np.concatenate([np.zeros((1, 2)), size[None], *(drawing.points for _, drawing in drawn)])
    left, right = LABELS + 30 - points[:, 0].min(), LABELS + 30 + points[:, 0].max() - size[0]
    width = int(left + size[0] + right)
    heading = _wrapped(_heading(alignment), _font(20), width - 2 * PADDING)
    footer = _wrapped(FOOTER, _font(14), width - 2 * PADDING)
    top, bottom = 2 * PADDING + 28 * len(heading), 3 * PADDING + 20 * len(footer)
    canvas = _Canvas((width, int(size[1]) + top + bottom), origin=np.array([int(left), top]))
    for number, line in enumerate(heading):
        canvas.text((PADDING, PADDING + 28 * number), line, size=20)
    for number, line in enumerate(footer):
        canvas.text((PADDING, top + size[1] + PADDING + 20 * number), line, size=14, color=NOTE)
    canvas.paste(Image.fromarray(alignment.gray), size)
    _draw_vertebrae(canvas, corners)
    labels = [_draw_curve(canvas, alignment, curve, drawing=drawing, corners=corners) for curve, drawing in drawn[::-1]]
    if alignment.curves and not drawn:
        main = alignment.curves[0].measure
        labels = [_Label((TITLES[main], str(alignment[main])), COLORS[main], False, None, size[1] / 2)]
    for on_left in (True, False):
        _draw_labels(canvas, [label for label in labels if label.on_left == on_left], float(size[1]))
    return canvas.reduced()


class _Canvas:
    """A picture that is drawn larger than it will be; points are on the film, places of text in the final picture."""

    def __init__(self, size: tuple[int, int], *, origin: Points) -> None:
        self.size, self.origin = size, origin
        self._picture = Image.new("RGB", (size[0] * FINE, size[1] * FINE), GROUND)
        self._draw = ImageDraw.Draw(self._picture)

    def paste(self, film: Image.Image, size: Points) -> None:
        large = film.resize((int(size[0]) * FINE, int(size[1]) * FINE), Image.Resampling.BICUBIC)
        self._picture.paste(large, (int(self.origin[0]) * FINE, int(self.origin[1]) * FINE))

    def line(self, points: Points, color: Color, *, width: float) -> None:
        for shade, extra in ((GROUND, 1.5), (color, 0.0)):  # dark edges, to be seen on bright bone
            self._draw.line(self._placed(points), fill=shade, width=round((width + extra) * FINE), joint="curve")

    def dot(self, at: Points, color: Color, *, radius: float) -> None:
        self._draw.ellipse(self._placed(np.stack([at - radius, at + radius])), fill=color)

    def polygon(self, points: Points, color: Color) -> None:
        self._draw.polygon(self._placed(points), fill=color)

    def text(self, at: tuple[float, float], text: str, *, size: int, color: Color = TEXT) -> None:
        self._draw.text((at[0] * FINE, at[1] * FINE), text, fill=color, font=_font(size * FINE))

    def reduced(self) -> Image.Image:
        return self._picture.reduce(FINE)

    def _placed(self, points: Points) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in (points + self.origin) * FINE]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _heading(alignment: Alignment) -> list[str]:
    if not alignment.accepted:
        return [f"Not measured: {'; '.join(alignment.rejection_reasons)}"]
    lines = []
    for item in alignment.findings:
        lines += [text[0].upper() + text[1:] for text in (item.summary, item.type) if text]
    return lines


def _wrapped(lines: Sequence[str], font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> list[str]:
    shown: list[str] = []
    for line in lines:
        shown.append("")
        for word in line.split():
            joined = f"{shown[-1]} {word}".strip()
            if font.getlength(joined) > width and shown[-1]:
                shown.append(word)
            else:
                shown[-1] = joined
    return shown


def _draw_vertebrae(canvas: _Canvas, corners: Points) -> None:
    for each in corners:
        canvas.line(each[[0, 1, 3, 2, 0]], OUTLINE, width=1)
    for point in corners.reshape(-1, 2):
        canvas.dot(point, OUTLINE, radius=2)


def _draw_curve(
    canvas: _Canvas, alignment: Alignment, curve: NamedCurve, *, drawing: AngleDrawing, corners: Points
) -> _Label:
    """Draw the end vertebrae, the apex and the angle of a curve, and return its label."""
    color, found = COLORS[curve.measure], curve.geometry
    for end in (found.upper, found.lower):
        canvas.line(corners[end][[0, 1, 3, 2, 0, 1]], color, width=2)
        for point in corners[end]:
            canvas.dot(point, color, radius=3.5)
    for line in (*drawing.endplates, *drawing.perpendiculars):
        canvas.line(line, color, width=1.75)
    _draw_arc(canvas, drawing.vertex, drawing.rays, color)
    _draw_apex(canvas, corners[found.apex], 1 if found.side == "right" else 0, color)
    lines = (
        TITLES[curve.measure],
        str(alignment[curve.measure]),
        f"{curve.upper.removesuffix(' visible')} to {curve.lower}",
        f"apex {curve.apex}",
        f"convex to the {curve.side}",
    )
    return _Label(lines, color, found.side == "right", drawing.vertex, float(drawing.vertex[1]))


def _draw_apex(canvas: _Canvas, corners: Points, side: int, color: Color) -> None:
    """Draw a triangle beside a vertebra that points at the middle of its left (0) or right (1) side."""
    middles = (corners[:2] + corners[2:]) / 2
    across = (middles[side] - middles[1 - side]) / np.linalg.norm(middles[1] - middles[0])
    tip, aside = middles[side] + 6 * across, np.array([-across[1], across[0]])
    canvas.polygon(np.stack([tip, tip + 13 * across + 7 * aside, tip + 13 * across - 7 * aside]), color)


def _draw_arc(canvas: _Canvas, vertex: Points, rays: Points, color: Color) -> None:
    start, end = np.arctan2(rays[:, 1], rays[:, 0])
    turn = (end - start + np.pi) % (2 * np.pi) - np.pi
    radius = float(np.clip(30 / max(abs(turn), 0.2), 34, 80))
    angles = start + np.linspace(0, turn, 40)
    for ray in rays:
        canvas.line(np.stack([vertex, vertex + (radius + 8) * ray]), color, width=1.5)
    canvas.line(vertex + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), color, width=2)


def _draw_labels(canvas: _Canvas, labels: Sequence[_Label], film_height: float) -> None:
    """Draw the labels of one side below each other, each as near to its angle as the others allow."""
    labels = sorted(labels, key=lambda label: label.height)
    heights = [50 + 19 * (len(label.lines) - 2) + PADDING for label in labels]
    starts: list[float] = []
    for label, height in zip(labels, heights):
        free = starts[-1] + heights[len(starts) - 1] if starts else 0.0
        starts.append(max(free, label.height - height / 2))
    limit = film_height
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
