"""Picture of an alignment: the film with vertebrae, end vertebrae, endplate lines and angles."""

from __future__ import annotations

import numpy as np
from PIL import Image

from spinealign.alignment.angle_drawing import AngleDrawing, construct_angle
from spinealign.alignment.result import Alignment, NamedCurve
from spinealign.alignment.vertebra import Points
from spinealign.checkpoint.files import SAGITTAL_MR
from spinealign.reporting.canvas import (
    LABELS,
    OUTLINE,
    Canvas,
    Color,
    Label,
    draw_arc,
    draw_labels,
    fit_image,
    frame_image,
)
from spinealign.reporting.sagittal_overlay import draw_sagittal

REACH = 260.0  # how far lines may leave the film
SMALLEST_DRAWN_DEG = 5.0  # smaller curves are within the error
COLORS = {"cobb_main": (255, 176, 0), "cobb_upper": (86, 180, 233), "cobb_lower": (72, 209, 148)}
TITLES = {"cobb_main": "main curve", "cobb_upper": "upper curve", "cobb_lower": "lower curve"}
FOOTER = (
    "In parentheses: 90 % interval. Triangle: apex. Left and right are those of the image.",
    "Research software, not a medical device.",
)


def draw_overlay(alignment: Alignment) -> Image.Image:
    """Draw the image of an alignment with its vertebrae and measures, as an RGB image.

    In x-rays, compensatory curves below 5 degrees are left out. MR is drawn upright, anterior to the left.

    Raises:
        ValueError: If the alignment has no image.
    """
    if alignment.gray is None:
        raise ValueError("The alignment has no image to draw on; measure the image again.")
    if alignment.kind == SAGITTAL_MR:
        return draw_sagittal(alignment)
    scale, size = fit_image(alignment.gray.shape, alignment.spacing_mm)
    corners = np.array([(each.corners + 0.5) * scale for each in alignment.vertebrae]).reshape(-1, 4, 2)
    low, high = np.array([-REACH, 4.0]), size + np.array([REACH, -4.0])
    drawn = [
        (curve, construct_angle(corners, curve.geometry, low=low, high=high))
        for curve in alignment.curves
        if curve.geometry.angle_deg >= SMALLEST_DRAWN_DEG
    ]
    points = np.concatenate([np.zeros((1, 2)), size[None], *(drawing.points for _, drawing in drawn)])
    left, right = LABELS + 30 - points[:, 0].min(), LABELS + 30 + points[:, 0].max() - size[0]
    canvas = frame_image(alignment.gray, size, sides=(left, right), heading=_heading(alignment), footer=FOOTER)
    _draw_vertebrae(canvas, corners)
    labels = [_draw_curve(canvas, alignment, curve, drawing=drawing, corners=corners) for curve, drawing in drawn[::-1]]
    if alignment.curves and not drawn:
        main = alignment.curves[0].measure
        labels = [Label((TITLES[main], str(alignment[main])), COLORS[main], False, None, size[1] / 2)]
    for on_left in (True, False):
        draw_labels(canvas, [label for label in labels if label.on_left == on_left], limit=float(size[1]))
    return canvas.reduced()


def _heading(alignment: Alignment) -> list[str]:
    if not alignment.accepted:
        return [f"Not measured: {'; '.join(alignment.rejection_reasons)}"]
    lines = []
    for item in alignment.findings:
        lines += [text[0].upper() + text[1:] for text in (item.summary, item.type) if text]
    return lines


def _draw_vertebrae(canvas: Canvas, corners: Points) -> None:
    for each in corners:
        canvas.line(each[[0, 1, 3, 2, 0]], OUTLINE, width=1)
    for point in corners.reshape(-1, 2):
        canvas.dot(point, OUTLINE, radius=2)


def _draw_curve(
    canvas: Canvas, alignment: Alignment, curve: NamedCurve, *, drawing: AngleDrawing, corners: Points
) -> Label:
    """Draw the end vertebrae, the apex and the angle of a curve, and return its label."""
    color, found = COLORS[curve.measure], curve.geometry
    for end in (found.upper, found.lower):
        canvas.line(corners[end][[0, 1, 3, 2, 0, 1]], color, width=2)
        for point in corners[end]:
            canvas.dot(point, color, radius=3.5)
    for line in (*drawing.endplates, *drawing.perpendiculars):
        canvas.line(line, color, width=1.75)
    draw_arc(canvas, drawing.vertex, rays=drawing.rays, color=color)
    _draw_apex(canvas, corners[found.apex], 1 if found.side == "right" else 0, color)
    lines = (
        TITLES[curve.measure],
        str(alignment[curve.measure]),
        f"{curve.upper.removesuffix(' visible')} to {curve.lower}",
        f"apex {curve.apex}",
        f"convex to the {curve.side}",
    )
    return Label(lines, color, found.side == "right", drawing.vertex, float(drawing.vertex[1]))


def _draw_apex(canvas: Canvas, corners: Points, side: int, color: Color) -> None:
    """Draw a triangle beside a vertebra that points at the middle of its left (0) or right (1) side."""
    middles = (corners[:2] + corners[2:]) / 2
    across = (middles[side] - middles[1 - side]) / np.linalg.norm(middles[1] - middles[0])
    tip, aside = middles[side] + 6 * across, np.array([-across[1], across[0]])
    canvas.polygon(np.stack([tip, tip + 13 * across + 7 * aside, tip + 13 * across - 7 * aside]), color)
