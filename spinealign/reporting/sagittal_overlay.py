"""Picture of an alignment in sagittal MR: outlines, names, endplates, lordosis, discs and slips."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image

from spinealign.alignment.angle_drawing import AngleDrawing, construct_angle
from spinealign.alignment.cobb import Curve, Side
from spinealign.alignment.result import Alignment, Finding, Measure
from spinealign.alignment.vertebra import Points
from spinealign.reporting.canvas import (
    LABELS,
    OUTLINE,
    TEXT,
    Canvas,
    Label,
    draw_arc,
    draw_labels,
    fit_image,
    frame_image,
    label_height,
)

BODY, FLAG, DISC, LORDOSIS = (86, 180, 233), (255, 110, 70), (72, 209, 148), (255, 176, 0)
REACH = 200.0  # how far lines may leave the image
DISC_LINES = 4  # of the label of a disc: its name, height, slip and angle
DOUBTFUL = 0.8  # confidence below which an outline is dashed
FOOTER = (
    "Large number: height of the disc in mm or, without a scale, relative to the bodies. Slip: positive forwards.",
    "±: half of the 90 % interval. Dashed: S1, and what is not certain. Anterior is left.",
    "Research software, not a medical device.",
)


def draw_sagittal(alignment: Alignment) -> Image.Image:
    """Draw the slice of an alignment of sagittal MR, upright, as an RGB image; see `draw_overlay`."""
    gray, spacing, turn = alignment.gray, alignment.spacing_mm, alignment.turn
    assert gray is not None  # noqa: S101 - checked by `draw_overlay`
    upright = gray if turn is None else turn.apply(gray)
    if spacing and turn is not None and turn.quarters % 2:
        spacing = spacing[::-1]
    scale, size = fit_image(upright.shape, spacing)

    def place(points: Points) -> Points:
        turned = points if turn is None else turn.apply_to_points(points, gray.shape)
        return (turned + 0.5) * scale

    corners = np.array([place(each.corners) for each in alignment.vertebrae]).reshape(-1, 4, 2)
    low, high = np.array([4.0, 4.0]), size + np.array([REACH, -4.0])
    angle = _lordosis(alignment, corners, low=low, high=high)
    reach = max(float(size[0]), 0.0 if angle is None else float(angle.points[:, 0].max()))
    sides = (LABELS + 30.0, LABELS + 30 + reach - float(size[0]))
    room = max(float(size[1]), float(len(alignment.vertebrae) * label_height(DISC_LINES)))
    canvas = frame_image(upright, size, sides=sides, heading=_heading(alignment), footer=FOOTER, room=room)
    labels = _draw_discs(canvas, alignment, place)
    labels += _draw_vertebrae(canvas, alignment, place)
    if angle is not None:
        labels += _draw_lordosis(canvas, alignment, angle)
    for on_left in (True, False):
        draw_labels(canvas, [label for label in labels if label.on_left == on_left], limit=room)
    return canvas.reduced()


def _heading(alignment: Alignment) -> list[str]:
    numbering = alignment.numbering
    if not alignment.accepted or numbering is None:
        return [f"Not measured: {'; '.join(alignment.rejection_reasons)}"]
    source = {
        "S1": f"Levels counted from S1, with a probability of {numbering.probability:.2f}",
        "user": "Levels as given",
        "bottom": f"Levels not certain, counted from below: {' '.join(numbering.reasons)}",
    }[numbering.source]
    present = [": ".join(filter(None, (item.summary, item.type))) for item in alignment.findings if item.present]
    absent = [item.name.replace("_", " ") for item in alignment.findings if item.present is False]
    none = [f"No {', no '.join(dict.fromkeys(absent))}"] if absent else []
    if all(item.value is None for item in alignment.measures):
        return [source, f"Not measured: {alignment.measures[0].reason}"]
    return [source, *(text[0].upper() + text[1:] for text in present), *none]


def _lordosis(alignment: Alignment, corners: Points, *, low: Points, high: Points) -> AngleDrawing | None:
    """Return the lines of the lordosis of L1 to L5, behind the spine; None if it was not measured."""
    names = [each.name for each in alignment.vertebrae]
    value = _value(alignment, "lordosis_l1_l5")
    if value is None or value.value is None:
        return None
    upper, lower = names.index("L1"), names.index("L5")
    side: Side = "left" if value.value > 0 else "right"
    curve = Curve(abs(value.value), upper, lower, (upper + lower) // 2, side)
    return construct_angle(corners, curve, low=low, high=high)


def _draw_lordosis(canvas: Canvas, alignment: Alignment, angle: AngleDrawing) -> list[Label]:
    for line in (*angle.endplates, *angle.perpendiculars):
        canvas.line(line, LORDOSIS, width=1.75)
    draw_arc(canvas, angle.vertex, rays=angle.rays, color=LORDOSIS)
    lines = ["lordosis, L1 to L5", str(alignment["lordosis_l1_l5"])]
    whole = _value(alignment, "lordosis_l1_s1")
    if whole is not None:
        lines += ["L1 to S1, experimental:", str(whole)]
    return [Label(tuple(lines), LORDOSIS, False, angle.vertex, float(angle.vertex[1]))]


def _draw_vertebrae(canvas: Canvas, alignment: Alignment, place: Callable[[Points], Points]) -> list[Label]:
    """Draw outlines, endplates and names; return the labels of deformities."""
    deformed = {item.level: item for item in alignment.findings if item.name == "vertebral_deformity" and item.present}
    labels = []
    for each, outline in zip(alignment.vertebrae, alignment.outlines):
        finding, corners = deformed.get(each.name), place(each.corners)
        color = FLAG if finding else BODY
        draw = canvas.dashed if each.confidence < DOUBTFUL else canvas.line
        draw(place(np.concatenate([outline, outline[:1]])), color, width=1.5)
        for endplate in (corners[:2], corners[2:]):
            if canvas.contains(endplate):  # the border may cut a body
                canvas.line(endplate, TEXT, width=1)
                for corner in endplate:
                    canvas.dot(corner, TEXT, radius=2)
        canvas.name(corners.mean(axis=0), each.name, size=20, color=color)
        if finding:
            labels.append(_flag(finding, corners[[1, 3]].mean(axis=0)))
    sacrum = next((item for item in alignment.structures if item.name == "S1"), None)
    if sacrum is not None:
        points = place(sacrum.points)
        canvas.dashed(np.concatenate([points, points[:1]]), OUTLINE, width=1.5)
        canvas.name(points.mean(axis=0), "S1", size=20, color=OUTLINE)
        if sacrum.endplate is not None:
            canvas.line(place(sacrum.endplate), OUTLINE, width=1)
    return labels


def _draw_discs(canvas: Canvas, alignment: Alignment, place: Callable[[Points], Points]) -> list[Label]:
    """Draw discs and slips; return a label for each pair of neighbors, and one for each slip that is flagged."""
    slipped = {item.level: item for item in alignment.findings if item.name == "listhesis" and item.present}
    outlines = {item.name: place(item.points) for item in alignment.structures}
    endplates = {each.name: place(each.corners) for each in alignment.vertebrae}
    sacrum = next((item.endplate for item in alignment.structures if item.name == "S1"), None)
    if sacrum is not None:
        endplates["S1"] = np.concatenate([place(sacrum)] * 2)
    labels = []
    for (upper, above), (lower, below) in pairwise(endplates.items()):
        pair = f"{upper}-{lower}"
        finding = slipped.get(pair)
        if pair in outlines:
            canvas.line(np.concatenate([outlines[pair], outlines[pair][:1]]), DISC, width=1)
        lines = _disc_lines(alignment, pair)
        anchor = np.mean([above[2], below[0]], axis=0)
        if len(lines) > 1:
            labels.append(Label(lines, FLAG if finding else DISC, True, anchor, float(anchor[1])))
        if finding:
            canvas.line(np.stack([above[3], below[1]]), FLAG, width=3)
            labels.append(_flag(finding, np.mean([above[3], below[1]], axis=0)))
    return labels


def _disc_lines(alignment: Alignment, pair: str) -> tuple[str, ...]:
    """Return the height of a disc, the slip and the angle of its segment, as far as they were measured."""
    name = pair.lower().replace("-", "_")
    shown = (
        ("", (f"disc_height_{name}_mm", f"disc_height_index_{name}")),
        ("slip ", (f"slip_{name}_mm", f"slip_{name}_percent")),
        ("segment ", (f"segment_{name}",)),
    )
    lines = [pair]
    for title, names in shown:
        found = next(filter(None, (_value(alignment, each) for each in names)), None)
        if found is not None:
            lines.append(f"{title}{_short(found)}")
    return tuple(lines)


def _flag(finding: Finding, anchor: Points) -> Label:
    """Return the label of a finding that is present."""
    title, _, place = (finding.type or finding.summary).partition(" of ")
    value = "" if finding.value is None else f"{finding.value:.0f} %"
    interval = "" if finding.low is None or finding.high is None else f" ({finding.low:.0f} to {finding.high:.0f})"
    severity = f"{finding.severity or 'present'}{', near a border' if finding.near_border else ''}"
    return Label((title, f"{value}{interval}", place, severity), FLAG, False, anchor, float(anchor[1]))


def _value(alignment: Alignment, name: str) -> Measure | None:
    """Return a measure that has a value."""
    return next((item for item in alignment.measures if item.name == name and item.value is not None), None)


def _short(measure: Measure) -> str:
    """Return a value with half of its interval, such as "8.9 ± 1.5 mm"."""
    places = {"degree": 0, "percent": 0, "ratio": 2}.get(measure.unit, 1)
    unit = {"degree": "°", "percent": " %", "ratio": ""}.get(measure.unit, f" {measure.unit}")
    ends = measure.low, measure.high
    half = "" if ends[0] is None or ends[1] is None else f" ± {(ends[1] - ends[0]) / 2:.{places}f}"
    return f"{round(measure.value or 0, places) + 0:.{places}f}{half}{unit}"
