"""Label images of a spine in the pixels of its slices."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.alignment.masks import StructureMasks, code_of
from spinealign.alignment.sagittal.instances import (
    CANAL,
    DISC,
    THRESHOLD,
    Array,
    Mask,
    Structure,
    above_sacrum,
    find_bodies,
    find_sacrum,
)
from spinealign.alignment.sagittal.orienting import UprightSlice
from spinealign.alignment.sagittal.planes import Planes
from spinealign.alignment.sagittal.structures import find_discs, without_specks
from spinealign.alignment.sagittal.values import SACRUM
from spinealign.alignment.sagittal.volumes import SagittalSpine, match_bodies
from spinealign.imaging.slice import Slice
from spinealign.imaging.volume import Volume

Labels = NDArray[np.uint16]
Named = dict[str, Structure]


def label_volume(spine: SagittalSpine, planes: Planes, *, volume: Volume) -> StructureMasks:
    """Return masks of all planes of a volume; the names spread from plane to plane, beginning at that of `spine`."""
    start = spine.index or 0
    masks = {start: _masks(_named(spine), planes.segmented(start)[1])}
    for indices in (range(start - 1, -1, -1), range(start + 1, planes.count)):
        known = _named(spine)
        for index in indices:
            probabilities = planes.segmented(index)[1]
            found = _spread(known, probabilities)
            masks[index] = _masks(found, probabilities)
            known = {**known, **found}
    drawn = {index: _draw(each, volume.sagittal_at(index).shape) for index, each in masks.items()}
    return _collect(volume.from_sagittal(drawn), volume.affine, masks)


def label_slice(spine: SagittalSpine, upright: UprightSlice, *, image: Slice) -> StructureMasks:
    """Return masks of one slice in the orientation of the original image."""
    masks = _masks(_named(spine), spine.found.location.probabilities)
    labels = upright.turn.inverse.apply(_draw(masks, upright.image.shape))
    return _collect(np.ascontiguousarray(labels)[None], _affine(image), {0: masks})


def _named(spine: SagittalSpine) -> Named:
    location = spine.found.location
    named: Named = dict(zip(spine.numbering.names, location.bodies))
    return named if location.sacrum is None else {**named, SACRUM: location.sacrum}


def _spread(known: Named, probabilities: Array) -> Named:
    """Return the structures of a slice with the names that they have in a neighboring one."""
    bodies = find_bodies(probabilities)
    sacrum = find_sacrum(probabilities, bodies)
    present: list[Structure] = [*above_sacrum(bodies, sacrum), *([] if sacrum is None else [sacrum])]
    places = match_bodies(list(known.values()), present)
    return {name: present[place] for name, place in zip(known, places) if place is not None}


def _masks(named: Named, probabilities: Array) -> dict[str, Mask]:
    """Return the masks of a slice by name; what is drawn later covers what is drawn earlier."""
    discs = find_discs(probabilities[DISC], list(named.values()))
    pairs = (f"{upper}-{lower}" for upper, lower in pairwise(named))
    found = {pair: disc for pair, disc in zip(pairs, discs) if disc is not None}
    return {
        "canal": without_specks(probabilities[CANAL] > THRESHOLD),
        **found,
        **{name: structure.mask for name, structure in reversed(named.items())},
    }


def _draw(masks: Mapping[str, Mask], shape: tuple[int, int]) -> Labels:
    """Return a label image of another size."""
    labels = np.zeros(shape, np.uint16)
    for name, mask in masks.items():
        large = Image.fromarray(mask.astype(np.float32)).resize(shape[::-1], Image.Resampling.BILINEAR)
        labels[np.asarray(large) > 0.5] = code_of(name)
    return labels


def _collect(labels: Labels, affine: NDArray[np.float64], masks: Mapping[int, Mapping[str, Mask]]) -> StructureMasks:
    names = {code_of(name): name for each in masks.values() for name in each}
    present = set(np.unique(labels).tolist())
    return StructureMasks(labels, affine, {code: name for code, name in names.items() if code in present})


def _affine(image: Slice) -> NDArray[np.float64]:
    """Return the affine of a slice as a volume of one; an unknown place is the origin, an unknown spacing 1 mm."""
    rows, columns = image.spacing_mm or (1.0, 1.0)
    along, down = np.reshape(np.asarray(image.orientation or (0, 1, 0, 0, 0, -1), np.float64), (2, 3))
    affine = np.eye(4)
    affine[:3] = np.column_stack(
        [np.cross(along, down), down * rows, along * columns, image.position_mm or np.zeros(3)]
    )
    return affine
