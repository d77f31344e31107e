"""Series with boxes of their discs, and parts of them, in which networks found vertebral bodies: which one is L5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.alignment.sagittal.locating import SagittalEngine, locate_sagittal
from spinealign.alignment.sagittal.preparing import normalize_gray
from spinealign.alignment.sagittal.scaling import ZOOMS, is_plausible
from spinealign.cohort.masks.boxed import BoxedSlice
from spinealign.evaluation.found_spine import FoundSpine, Row

NEAR_MIDDLE = 0.35  # of the distance of two discs: farthest center of the body between them
SMALLEST_PICTURE = 64  # rows


@dataclass(frozen=True)
class NamedPicture:
    """Numbers of a series with boxes of its discs, or of a part of it: which body is L5.

    Attributes:
        name: Name of the series.
        patient: Its patient.
        sequence: Its sequence.
        fold: Fold of the cross-validation, from 0; None outside of it.
        found: What decides the levels.
        cut: Where the lower end was cut off: `S1` (within S1), `L5-S1` (below the disc), `L5` (within L5) or `L4-L5`
            (below the disc); empty for the whole picture.
        zoom: Factor of the spacing.
        known: Whether it is known which body is L5.
        l5: Place of the found body that is L5.
    """

    name: str
    patient: str
    sequence: str
    fold: int | None
    found: FoundSpine
    cut: str = ""
    zoom: float = 1.0
    known: bool = False
    l5: int | None = None


def name_series(engine: SagittalEngine, item: BoxedSlice, *, fold: int | None = None) -> list[NamedPicture]:
    """Find the bodies of a series, and of the same series cut at several depths, and which of them is L5.

    A whole picture whose bodies have an unlikely height is tried again at the zooms of `ZOOMS`.
    """

    def _name(gray: NDArray[np.float32], cut: str = "", zoom: float = 1.0) -> NamedPicture:
        found = FoundSpine.of(locate_sagittal(engine, gray))
        known = item.certain and {1, 2} <= item.discs.keys()
        l5 = _body_between(found.bodies, item.discs[2], item.discs[1], zoom=zoom) if known else None
        return NamedPicture(item.name, item.patient, item.sequence, fold, found, cut, zoom, known, l5)

    pictures = [_name(item.gray)]
    if not is_plausible(pictures[0].found.height):
        pictures += [_name(_zoomed(item.gray, zoom), zoom=zoom) for zoom in ZOOMS if zoom != 1]
    for cut, row in cut_rows(item).items():
        if SMALLEST_PICTURE <= row < len(item.gray):
            pictures.append(_name(normalize_gray(item.gray[:row]), cut))
    return pictures


def cut_rows(item: BoxedSlice) -> dict[str, int]:
    """Return the row at which a series is cut, by the name of the cut; empty without the boxes of the lowest discs."""
    if not {1, 2} <= item.discs.keys():
        return {}
    (_, top, _, bottom), (*_, upper_bottom) = item.discs[1], item.discs[2]
    return {
        "S1": round(bottom + (top - upper_bottom) / 2),
        "L5-S1": round(bottom),
        "L5": round((upper_bottom + top) / 2),
        "L4-L5": round(upper_bottom),
    }


def _zoomed(gray: NDArray[np.float32], zoom: float) -> NDArray[np.float32]:
    height, width = (round(size * zoom) for size in gray.shape)
    return np.asarray(Image.fromarray(gray).resize((width, height), Image.Resampling.BILINEAR))


def _body_between(bodies: Sequence[Row], upper: Sequence[float], lower: Sequence[float], *, zoom: float) -> int | None:
    """Return the place of the body between the boxes of two discs."""
    above, below = (zoom * np.reshape(box, (2, 2)).mean(axis=0) for box in (upper, lower))
    if not bodies:
        return None
    distances = np.linalg.norm(np.array([body[:2] for body in bodies]) - (above + below) / 2, axis=1)
    best = int(np.argmin(distances))
    return best if distances[best] < NEAR_MIDDLE * np.linalg.norm(below - above) else None
