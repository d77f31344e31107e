"""Drawn sagittal slices of boxes, and an engine that knows their masks."""

from __future__ import annotations

import numpy as np
from PIL import Image

from spinealign.cohort.masks.boxed import BoxedSlice
from spinealign.cohort.masks.labeled import BODY, DISC, L5, S1, STRUCTURES, LabeledSlice
from spinealign.evaluation.found_spine import FoundSpine
from spinealign.evaluation.measured_slice import MeasuredSlice
from spinealign.evaluation.named_series import NamedPicture

SHAPE, LEFT, RIGHT, HEIGHT, PITCH, BODIES = (224, 160), 60, 94, 24, 33, 6


def drawn_slice(*, top: int = 10, shift: int = 0, name: str = "vb3_01_09", **values) -> LabeledSlice:
    """Return a slice with six bodies, discs and S1; L4 is shifted to the left."""
    bodies, structures = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    for number in range(BODIES, 0, -1):
        row = top + (BODIES - number) * PITCH
        left = LEFT - shift * (number == 2)
        bodies[row : row + HEIGHT, left : left + RIGHT - LEFT] = number
        structures[row + HEIGHT : row + PITCH, LEFT + 2 : RIGHT - 2] |= DISC
    structures[bodies > 0] |= BODY
    structures[bodies == 1] |= L5
    structures[top + BODIES * PITCH :, LEFT - 6 : RIGHT + 4] |= S1
    gray = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    values = {"patient": f"lumbar_mri/{name[:6]}", "source": "lumbar_mri", **values}
    return LabeledSlice(name, gray=gray, bodies=bodies, structures=structures, ignored=np.zeros_like(bodies), **values)


def drawn_series(*, factor: int = 1, top: int = 10) -> BoxedSlice:
    """Return the same as a series with boxes of the two lowest discs, enlarged by a factor."""
    gray = np.kron(drawn_slice().gray, np.ones((factor, factor), np.float32))
    rows = {number: top + (BODIES - number) * PITCH + HEIGHT for number in (1, 2)}
    discs = {
        number: tuple(factor * float(place) for place in (LEFT, row, RIGHT, row + PITCH - HEIGHT))
        for number, row in rows.items()
    }
    return BoxedSlice("1_t2", "spider/1", "spider", "T2", gray, discs)


class PerfectEngine:
    """Engine that returns the masks of a slice, and the same corners in every crop.

    A picture is the upper part of the slice or, with `zoomed`, an enlarged slice of the same width.
    """

    def __init__(self, item: LabeledSlice, *, zoomed: bool = False) -> None:
        self._structures, self._zoomed = item.structures, zoomed

    def segment(self, pixel_values):
        height, width = pixel_values.shape[2:]
        seen = np.zeros((height, width), np.uint8)
        factor = width / SHAPE[1] if self._zoomed else 1.0
        rows, columns = (round(size * factor) for size in SHAPE)
        large = np.asarray(Image.fromarray(self._structures).resize((columns, rows), Image.Resampling.NEAREST))
        seen[: min(height, rows), : min(width, columns)] = large[:height, :width]
        bits = 1 << np.arange(len(STRUCTURES))[:, None, None]
        return np.where(seen & bits, 9.0, -9.0)[None].astype(np.float32)

    def refine(self, crops, neighbors):
        corners = np.array([[-0.5, -0.35], [0.5, -0.35], [-0.5, 0.35], [0.5, 0.35]], np.float32)
        return np.tile(corners, (len(crops), 1, 1))


def found_spine(*, bodies=5, sacrum=True, l5=4) -> FoundSpine:
    """Return what decides the levels in a picture with bodies in a row."""
    rows = tuple((60.0, 30.0 * place, 700.0, 0.95, 0.97 if place == l5 else 0.02, 0.0) for place in range(bodies))
    return FoundSpine(rows, (60.0, 30.0 * bodies, 600.0, 0.95) if sacrum else None, 24.0)


def tilted_corners(tilts_deg):
    """Return rows of the corners of bodies, tilted by angles, 33 pixels apart."""
    box = np.array([[-17, -12], [17, -12], [-17, 12], [17, 12]], float)
    rows = []
    for place, angle in enumerate(np.radians(tilts_deg)):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        rows.append(tuple((box @ turn.T + [80, 20 + 33 * place]).ravel().round(3).tolist()))
    return tuple(rows)


def measured_slice(patient, number, *, error=0.0, **values) -> MeasuredSlice:
    """Return a slice whose lordosis is 30 degrees and more, measured with an error."""
    lordosis = 30 + patient + number / 10
    middles = ((80.0, 8.0, 80.0, 32.0),) * 5
    defaults = {
        "found": found_spine(),
        "matches": (0, 1, 2, 3, 4),
        "dice": (0.95,) * 5,
        "false_bodies": 0,
        "scores": {"body": 0.95},
        "leveled": True,
        "corners": tilted_corners(np.linspace(0, -(lordosis + error), 5)),
        "middles": middles,
        "reference": tilted_corners(np.linspace(0, -lordosis, 5)),
        "reference_middles": middles,
    }
    return MeasuredSlice(
        f"vb3_{patient:02d}_{number:02d}", f"lumbar_mri/vb3_{patient:02d}", "lumbar_mri", "T2", patient % 3, True,
        **{**defaults, **values},
    )  # fmt: skip


def named_picture(number, *, sequence="T1", **values) -> NamedPicture:
    """Return a series whose L5 is named and right."""
    return NamedPicture(
        f"{number}_{sequence.lower()}", f"spider/{number}", sequence, 0,
        **{"found": found_spine(), "known": True, "l5": 4, **values},
    )  # fmt: skip
