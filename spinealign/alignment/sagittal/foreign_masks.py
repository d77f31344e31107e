"""Measures from the masks of other segmenters."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from spinealign.alignment.levels import LEVELS
from spinealign.alignment.result import Alignment
from spinealign.alignment.sagittal.aligner import SagittalMeasurer
from spinealign.alignment.sagittal.instances import BODY, CANAL, DISC, OUTPUTS, S1, Array, Mask, find_bodies
from spinealign.alignment.sagittal.measuring import EXPERIMENTAL
from spinealign.alignment.sagittal.planes import Planes
from spinealign.alignment.sagittal.scaling import FEWEST
from spinealign.alignment.sagittal.structures import without_specks
from spinealign.alignment.sagittal.volumes import spine_of_volume
from spinealign.checkpoint.sagittal_settings import SagittalSettings
from spinealign.errors import UnsupportedFormatError
from spinealign.imaging.volume import Volume
from spinealign.reading.volumes import read_volume

Points = NDArray[np.float64]
Source: TypeAlias = str | os.PathLike[str] | Volume
SACRAL_REACH = 1.4  # of S1 below the center of L5, in distances of L4 and L5
TOUCHING = 0.25  # share of a second body in a pixel


@dataclass(frozen=True)
class LabelTable:
    """Values of the labels of a segmenter.

    Attributes:
        vertebrae: Levels by the values of their vertebrae.
        sacrum: Values of the sacrum, or of S1.
        discs: Values of discs.
        canal: Values of the spinal canal with the cord, in front of which the bodies end.
        margin_mm: Distance of the bodies from these.
        parts: Values of bodies in a second mask, which has parts of vertebrae instead of levels.
    """

    vertebrae: Mapping[int, str]
    sacrum: tuple[int, ...]
    discs: tuple[int, ...] = ()
    canal: tuple[int, ...] = ()
    margin_mm: float = 0.0
    parts: tuple[int, ...] = ()


def _numbered(levels: tuple[str, ...], first: int) -> dict[int, str]:
    return {first + place: level for place, level in enumerate(levels)}


CERVICAL, THORACIC, LUMBAR = LEVELS[:7], LEVELS[7:19], LEVELS[19:]
TABLES = {
    "totalspineseg": LabelTable(
        {**_numbered(CERVICAL, 11), **_numbered(THORACIC, 21), **_numbered(LUMBAR, 41)},
        sacrum=(50,),
        discs=(*range(63, 83), *range(91, 96), 100),
        canal=(1, 2),
    ),
    "spineps": LabelTable(
        {**_numbered(LEVELS, 1), 25: "L6", 28: "T13"},
        sacrum=(26,),
        discs=(*range(101, 126),),
        canal=(60, 61),
        parts=(49, 50),
    ),
    "totalsegmentator": LabelTable(_numbered(LEVELS[::-1], 27), sacrum=(25, 26), canal=(79,), margin_mm=5.0),
    "totalsegmentator_mr": LabelTable(_numbered(LEVELS[::-1], 2), sacrum=(1,)),
}


def measure_masks(
    mask: Source, image: Source | None = None, *, table: str = "totalspineseg", parts: Source | None = None
) -> Alignment:
    """Measure the spine in the masks of another segmenter.

    Corners are those of the outlines; they are not refined, and the measures have no intervals. The posterior elements
    of vertebrae are cut off at the front of the spinal canal, where the mask has it.

    Args:
        mask: NIfTI file or volume with the levels of vertebrae as labels.
        image: The image on the same grid, for the overlay; None to draw the mask.
        table: Segmenter: `totalspineseg` (output of step 2), `spineps` (mask of vertebrae), `totalsegmentator` (task
            `total`, as one file) or `totalsegmentator_mr` (task `vertebrae_mr`).
        parts: The mask of subregions of SPINEPS on the same grid, which tells bodies and canal.

    Returns:
        The alignment; not accepted if there are fewer than three vertebrae.

    Raises:
        ImageError: If a file cannot be read, or the grids differ.
        ValueError: If the table is unknown.
    """
    if table not in TABLES:
        raise ValueError(f"Unknown table {table!r}; use {', '.join(TABLES)}.")
    labels = _read(mask)
    shown = replace(labels, array=(labels.array > 0) * np.float32(160)) if image is None else _on_grid(image, labels)
    planes = MaskPlanes(shown, labels, table=TABLES[table], parts=None if parts is None else _on_grid(parts, labels))
    middle = planes.middle()
    levels = planes.levels(middle)
    measurer = SagittalMeasurer(SagittalSettings(), None, model=table)
    if reasons := _reasons(levels):
        return replace(measurer.reject(reasons, shown.sagittal_at(middle), notes=()), source=labels.origin)
    lowest = planes.found(middle).location.bodies[-1]
    spine = spine_of_volume(planes, middle, anchor={levels[-1]: lowest.center})
    alignment = measurer.describe_volume(spine, planes, notes=(f"Levels and outlines are those of {table}.",))
    left_out = [level for level in planes.labeled(middle) if level not in levels]
    lacking = (f"Not measured, since their outlines are not in the chain: {', '.join(left_out)}.",) if left_out else ()
    notes = tuple(note for note in (*lacking, *alignment.notes) if note != EXPERIMENTAL)
    return replace(alignment, source=labels.origin, notes=notes)


class MaskPlanes(Planes):
    """The sagittal planes of a volume, with masks in the place of what a network finds."""

    def __init__(self, volume: Volume, labels: Volume, *, table: LabelTable, parts: Volume | None) -> None:
        super().__init__(None, volume)
        self._labels, self._table, self._parts = labels, table, parts

    def levels(self, index: int) -> list[str]:
        """Return the levels of the bodies that were found in a plane, from the top; empty where there is none."""
        shares = self._bodies(index)
        height, width = self.segmented(index)[0].gray.shape
        large = {level: _share(mask, (height, width)) for level, mask in shares.items()}
        return [
            max(large, key=lambda level: float(large[level][body.mask].sum()))
            for body in self.found(index).location.bodies
        ]

    def labeled(self, index: int) -> list[str]:
        """Return the levels that have pixels in a plane."""
        present = set(np.unique(self._labels.sagittal_at(index).pixels.round().astype(int)).tolist())
        return [level for code, level in self._table.vertebrae.items() if code in present]

    def _bodies(self, index: int) -> dict[str, Mask]:
        """Return the masks of the bodies of a plane in its own pixels, by their levels."""
        plane, table = self._labels.sagittal_at(index), self._table
        values = plane.pixels.round().astype(int)
        found = {level: values == code for code, level in table.vertebrae.items() if (values == code).any()}
        if self._parts is not None:
            body = np.isin(self._parts.sagittal_at(index).pixels.round(), table.parts)
            return {level: mask & body for level, mask in found.items() if (mask & body).any()}
        margin = round(table.margin_mm / (plane.spacing_mm or (1.0, 1.0))[1])
        bodies = {level: _in_front(mask, self._canal(index), margin=margin) for level, mask in found.items()}
        return {level: mask for level, mask in bodies.items() if mask.any()}

    def _canal(self, index: int) -> Mask:
        source = self._labels if self._parts is None else self._parts
        return np.isin(source.sagittal_at(index).pixels.round(), self._table.canal)

    def _segment(self, gray: Array, index: int) -> Array:
        shape = gray.shape[0], gray.shape[1]
        values = self._labels.sagittal_at(index).pixels.round()
        shares = [_share(mask, shape) for mask in self._bodies(index).values()]
        found = np.zeros((OUTPUTS, *gray.shape), np.float32)
        if shares:
            ordered = np.sort(np.stack([*shares, np.zeros_like(gray)]), axis=0)
            found[BODY] = np.where(ordered[-2] > TOUCHING, 0, ordered[-1])  # bodies that touch are divided
        found[S1] = _share(np.isin(values, self._table.sacrum), shape)
        found[DISC] = _share(np.isin(values, self._table.discs), shape)
        found[CANAL] = _share(self._canal(index), shape)
        centers = [body.center for body in find_bodies(found)[-2:]]
        if len(centers) == 2:  # S1 is the upper part of the sacrum
            found[S1] *= _is_near(shape, np.array(centers))
        return found


def _reasons(levels: Sequence[str]) -> tuple[str, ...]:
    """Return why a mask is not measured."""
    if len(levels) < FEWEST:
        return (f"too few vertebral bodies in the mask: {len(levels)} in the middle slice (limit {FEWEST})",)
    if extra := [level for level in levels if level not in LEVELS]:
        return (f"transitional anatomy in the mask ({', '.join(extra)}) is not supported",)
    numbers = [LEVELS.index(level) for level in levels]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return (f"the levels in the mask do not follow each other: {', '.join(levels)}",)
    return ()


def _read(source: Source) -> Volume:
    return source if isinstance(source, Volume) else read_volume(source, unit="display", whole=True)


def _on_grid(source: Source, labels: Volume) -> Volume:
    """Return a volume on the grid of a mask."""
    volume = source if isinstance(source, Volume) else read_volume(source, whole=True)
    if not volume.has_grid_of(labels):
        raise UnsupportedFormatError(f"{volume.origin} is not on the grid of {labels.origin}; resample it.")
    return volume


def _in_front(mask: Mask, canal: Mask, *, margin: int) -> Mask:
    """Return the largest part of a vertebra in front of the canal, or its largest part if the canal is missing."""
    canal = without_specks(canal)
    rows = np.flatnonzero(canal.any(axis=1))
    if len(rows):
        front = np.interp(np.arange(len(mask)), rows, canal.argmax(axis=1)[rows])
        mask = mask & (np.arange(mask.shape[1]) < front[:, None] - margin)
    parts, count = ndimage.label(mask)
    return parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:])) if count else mask


def _share(mask: Mask, shape: tuple[int, int]) -> Array:
    """Return the share of a mask in each pixel of another size."""
    return np.asarray(Image.fromarray(mask.astype(np.float32)).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _is_near(shape: tuple[int, ...], centers: Points) -> Mask:
    """Return where S1 may be, by the centers of the two lowest bodies."""
    step = centers[1] - centers[0]
    y, x = np.indices(shape)
    along = ((x - centers[1, 0]) * step[0] + (y - centers[1, 1]) * step[1]) / (step @ step)
    near: Mask = along < SACRAL_REACH
    return near
