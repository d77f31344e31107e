"""Search for films that show the same radiograph, cropped and rescaled, by the corners of vertebrae and the pixels.

Two exports of one radiograph have spines of the same shape, so the corners give pairs to compare and the similarity
transform that lays one film over the other. The pixels along the spine then decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from spinealign.cohort.duplicates.alignment import Placement, correlate, refine
from spinealign.cohort.duplicates.keypoints import smooth, texture
from spinealign.cohort.landmarks.film import Film
from spinealign.cohort.landmarks.grouping import name_parts
from spinealign.errors import ImageError

SAME, ALIKE = 0.89, 0.6  # correlation of the texture along the spine; see docs/cobb.md
_SHIFTS = 3  # labels of one radiograph may begin at another vertebra
_MAX_RESIDUAL = 0.004  # of the shapes: share of the variance of the corners
_NEIGHBORS = 5  # candidates of each film
_PROMISING = 0.4  # correlation before the alignment
_MIN_OVERLAP = 0.5  # of a patch
_HEIGHT = 640  # pixels of the films in memory
_SIDE = 224  # pixels of a patch, as `texture` takes them
_BLURS, _STEPS = (3.0, 1.2), 6  # of the alignment
_BESIDE = 0.75  # widths of a vertebra beside the spine


@dataclass(frozen=True)
class Twin:
    """Two films that show, or may show, the same radiograph or patient.

    Attributes:
        one: Place of the first film in the collection.
        other: Place of the second one.
        kind: `same` radiograph by pixels; `named`, with the same name except for its date; or `alike`, perhaps of one
            patient.
        correlation: Correlation of the pixels along the spine; None if it was not measured.
    """

    one: int
    other: int
    kind: str
    correlation: float | None = None


class _Match(NamedTuple):
    """Two films, and by how many vertebrae the label of the first one begins above that of the other."""

    one: int
    other: int
    shift: int


def find_twins(films: Sequence[Film], *, progress: bool = False) -> tuple[Twin, ...]:
    """Find films that show the same radiograph, the surest first.

    Films with unusually few vertebrae are compared only if their names suggest it.
    """
    pictures = _Pictures(films)
    named = set(_namesakes(films))
    found = []
    matches = _candidates(films, named)
    for match in tqdm(matches, desc="comparing films", unit="pair", leave=False, disable=None if progress else True):
        pair = match.one, match.other
        correlation = pictures.correlation(match)
        if correlation is not None and correlation >= SAME:
            found.append(Twin(*pair, "same", correlation))
        elif pair in named or (correlation is not None and correlation >= ALIKE):
            found.append(Twin(*pair, "named" if pair in named else "alike", correlation))
    return tuple(sorted(found, key=lambda twin: -(twin.correlation or 0)))


def _namesakes(films: Sequence[Film]) -> Iterable[tuple[int, int]]:
    """Yield the pairs of films whose names differ only in the date."""
    first: dict[str, int] = {}
    for place, film in enumerate(films):
        parts = name_parts(film.name)
        if parts and first.setdefault(parts.rest, place) != place:
            yield first[parts.rest], place


def _candidates(films: Sequence[Film], named: set[tuple[int, int]]) -> list[_Match]:
    """Return the pairs of films whose spines have nearly the same shape, and those with given names."""
    counts = [len(film.corners) for film in films if len(film.corners)]
    length = int(np.median(counts)) - _SHIFTS + 1 if counts else 0
    if length < _SHIFTS:
        return []
    shapes = [_shapes(films, start, length) for start in range(_SHIFTS)]
    residual, shift = np.full((len(films), len(films)), np.inf), np.zeros((len(films), len(films)), int)
    for start, first in enumerate(shapes):
        for other_start, second in enumerate(shapes):
            found = 1 - np.abs(first @ second.conj().T)
            better = found < residual
            residual[better], shift[better] = found[better], start - other_start
    np.fill_diagonal(residual, np.inf)
    nearest = np.argsort(residual, axis=1)[:, :_NEIGHBORS]
    pairs = {
        (min(i, j), max(i, j)) for i, row in enumerate(nearest.tolist()) for j in row if residual[i, j] < _MAX_RESIDUAL
    }
    return [_Match(i, j, int(shift[i, j])) for i, j in sorted(pairs | named)]


def _shapes(films: Sequence[Film], start: int, length: int) -> NDArray[np.complex128]:
    """Return the corners of vertebrae as complex numbers without place and size, 0 for films with too few of them."""
    shapes = np.zeros((len(films), 4 * length), np.complex128)
    for place, film in enumerate(films):
        if len(film.corners) >= start + length:
            flat = _complex(film.points[start : start + length])
            shapes[place] = flat - flat.mean()
    return shapes / np.maximum(np.linalg.norm(shapes, axis=1, keepdims=True), 1e-9)


def _complex(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    flat: NDArray[np.complex128] = (points[..., 0] + 1j * points[..., 1]).ravel()
    return flat


class _Pictures:
    """The films, reduced in size and read when they are first used."""

    def __init__(self, films: Sequence[Film]) -> None:
        self._films = films
        self._reduced: dict[int, Image.Image | None] = {}

    def _picture(self, place: int) -> Image.Image | None:
        if place not in self._reduced:
            try:
                image = Image.fromarray(self._films[place].read().pixels.astype(np.uint8))
                width = max(1, round(image.width * _HEIGHT / image.height))
                self._reduced[place] = image.resize((width, _HEIGHT), Image.Resampling.BOX)
            except ImageError:
                self._reduced[place] = None
        return self._reduced[place]

    def correlation(self, match: _Match) -> float | None:
        """Return the correlation of two films along the spine; None if a film cannot be read."""
        pictures = self._picture(match.one), self._picture(match.other)
        if pictures[0] is None or pictures[1] is None:
            return None
        first = self._films[match.one].points[max(match.shift, 0) :]
        second = self._films[match.other].points[max(-match.shift, 0) :]
        common = min(len(first), len(second))
        first, second = first[:common], second[:common]
        beside = np.array([_BESIDE * np.linalg.norm(first[:, 1] - first[:, 0], axis=1).mean(), 0])
        low, high = first.min(axis=(0, 1)) - beside, first.max(axis=(0, 1)) + beside
        turn, shift = _similarity(_complex(first), _complex(second))
        right, down, origin = complex((high - low)[0]) / _SIDE, 1j * (high - low)[1] / _SIDE, complex(*low)
        patches = [
            _patch(pictures[0], self._films[match.one], (right, down, origin)),
            _patch(pictures[1], self._films[match.other], (turn * right, turn * down, turn * origin + shift)),
        ]
        inside = patches[0][1] & patches[1][1]
        if inside.mean() < _MIN_OVERLAP:
            return 0.0
        return _aligned(texture(np.stack([np.where(inside, gray, gray[inside].mean()) for gray, _ in patches])))


def _similarity(source: NDArray[np.complex128], target: NDArray[np.complex128]) -> tuple[complex, complex]:
    """Return the factor and the shift that bring points nearest to others, by least squares."""
    centered = source - source.mean()
    factor = complex(np.vdot(centered, target - target.mean()) / np.vdot(centered, centered))
    return factor, complex(target.mean() - factor * source.mean())


def _patch(
    picture: Image.Image, film: Film, axes: tuple[complex, complex, complex]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return a patch of a film, and where it has pixels; the axes are a step right, a step down and the origin."""
    scale = picture.height / film.shape[0]
    place = tuple(scale * part for part in (*(axis.real for axis in axes), *(axis.imag for axis in axes)))
    whole = Image.new("L", picture.size, 255)
    gray, inside = (
        np.asarray(image.transform((_SIDE, _SIDE), Image.Transform.AFFINE, place, Image.Resampling.BILINEAR))
        for image in (picture, whole)
    )
    return gray, inside == 255


def _aligned(textures: NDArray[np.float32]) -> float:
    """Return the correlation of two textures after a fine alignment, if it promises something."""
    pair = np.array([[0, 1]])
    placement = Placement(np.ones((1, 2), np.float32), np.zeros((1, 2), np.float32))
    before = float(correlate(textures, pair, placement=placement)[0][0])
    if before < _PROMISING:
        return before
    for blur in _BLURS:
        placement = refine(smooth(textures, blur), pair, placement=placement, steps=_STEPS)
    return float(correlate(textures, pair, placement=placement)[0][0])
