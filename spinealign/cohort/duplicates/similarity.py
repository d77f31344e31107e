"""Find the images that show one slice, whatever their names say.

Copies may be turned by any angle, mirrored, sharpened, blurred, resized and recompressed. Equal pixels are copies. Of
the others three questions are asked, each dearer and asked of fewer pairs than the one before:

1. Do the Fourier magnitudes of the coarse polar images lie near each other? They ignore rotation and mirroring. Random
   trees answer without comparing all pairs.
2. Do the coarse polar images agree at their best rotation?
3. Do the fine ones? At this scale noise and trabecular texture speak, so another phantom of the same shape, or the next
   slice of a scan, differs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from spinealign.cohort.duplicates.neighbors import connect, embed, near_pairs
from spinealign.cohort.duplicates.polar import PolarForm

SIDE = 224
COARSE = PolarForm(SIDE, reduction=2, rings=32, angles=128, harmonics=48, band=(1.0, 4.0), floor=3.0)
FINE = PolarForm(SIDE, reduction=1, rings=64, angles=384, harmonics=160, band=(1.0, 2.0), floor=0.3)
_HARMONICS = 16  # of the magnitudes
_LEAST_COSINE, _LEAST_COARSE = 0.3, 0.65
# Measured on the 1,400 real images, at equal sharpening: copies of one slice 0.82 to 1, and each has one above 0.91;
# neighbouring slices below 0.90. Between a sharpened and a plain copy: one slice 0.46 to 0.90, neighbours 0.32 to 0.76,
# and where both are there, the same slice is the higher one. The most similar two of 7,400 phantoms: 0.34.
CERTAIN, POSSIBLE = 0.91, 0.42
_OTHER_SHARPNESS = 0.75  # octaves
_BLOCK = 512  # pairs whose fine spectra are held at a time


def group_by_looks(gray: NDArray[np.uint8], *, progress: bool = True) -> NDArray[np.int64]:
    """Group images that show the same slice.

    Groups grow in rounds. Pairs that are certainly copies are joined first, and one image stands for its group in the
    next round. When none is left, a group joins the one that it resembles most, if this is mutual and differing
    sharpness explains why they are not alike: images of equal sharpness that are not certain are different slices.
    A sharpened image whose plain copies are missing may thus join a neighbouring slice: a missed copy would cost more
    than a neighbour too many.

    Args:
        gray: Gray images of shape (N, S, S).
        progress: Show a progress bar.

    Returns:
        For each image the place of the first image of its group, shape (N,).
    """
    first = _first_of_its_kind(gray)
    distinct = np.flatnonzero(first == np.arange(len(gray)))
    group = _group_distinct(_at_side(gray[distinct]), progress=progress)
    return distinct[group][np.searchsorted(distinct, first)]


def _first_of_its_kind(gray: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return for each image the place of the first that is equal to it, pixel for pixel."""
    places: dict[bytes, int] = {}
    return np.array([places.setdefault(image.tobytes(), place) for place, image in enumerate(gray)], np.int64)


def _group_distinct(images: NDArray[np.uint8], *, progress: bool) -> NDArray[np.int64]:
    coarse, fine = _Spectra(COARSE, images), _Spectra(FINE, images)
    magnitudes = np.abs(coarse.of(np.arange(len(images)))[:, :, :_HARMONICS])
    vectors = embed(magnitudes.reshape(len(images), -1))
    sharpness = _sharpness(images)
    group = np.arange(len(images))
    speakers = group
    with tqdm(desc="comparing looks", unit="pair", disable=None if progress else True) as bar:
        while True:
            pairs = speakers[near_pairs(vectors[speakers], least=_LEAST_COSINE)]
            pairs = pairs[coarse.correlate(pairs) >= _LEAST_COARSE]
            scores = fine.correlate(pairs)
            bar.update(len(pairs))
            joined = pairs[scores >= CERTAIN]
            if not len(joined):
                differ = np.abs(np.diff(sharpness[pairs], axis=1)[:, 0]) > _OTHER_SHARPNESS
                possible = differ & (scores >= POSSIBLE)
                joined = _mutual(pairs[possible], scores[possible])
            if not len(joined):
                return group
            group = connect(len(images), np.concatenate([joined, np.stack([np.arange(len(group)), group], axis=1)]))
            speakers = _speakers(group, sharpness)


class _Spectra:
    """The spectra of some images, computed when they are first asked for and kept in half precision."""

    def __init__(self, form: PolarForm, images: NDArray[np.uint8]) -> None:
        self.form = form
        self._images = images
        self._row = np.full(len(images), -1)
        self._kept = np.empty((0, form.rings, form.harmonics, 2), np.float16)

    def of(self, places: NDArray[np.intp]) -> NDArray[np.complex64]:
        """Return the spectra of the images at some places."""
        self._compute(np.unique(places))
        return self._kept[self._row[places]].astype(np.float32).view(np.complex64)[..., 0]

    def correlate(self, pairs: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the correlation of each pair of places, shape (P,)."""
        self._compute(np.unique(pairs))  # all at once: what is kept is copied when it grows
        blocks = [pairs[start : start + _BLOCK].T for start in range(0, len(pairs), _BLOCK)]
        found = [self.form.correlations(self.of(one), self.of(other)) for one, other in blocks]
        return np.concatenate([np.empty(0, np.float32), *found])

    def _compute(self, places: NDArray[np.intp]) -> None:
        missing = places[self._row[places] < 0]
        self._row[missing] = len(self._kept) + np.arange(len(missing))
        blocks = [missing[start : start + _BLOCK] for start in range(0, len(missing), _BLOCK)]
        fresh = [self.form.spectra(self._images[block]).view(np.float32) for block in blocks]
        halves = [block.reshape(len(block), *self._kept.shape[1:]).astype(np.float16) for block in fresh]
        self._kept = np.concatenate([self._kept, *halves])


def _at_side(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if gray.shape[1] == SIDE:
        return gray
    return np.stack(
        [np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for image in gray]
    )


def _sharpness(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the contrast of edges over the contrast of the middle of each image, in octaves."""
    margin = images.shape[1] // 8
    octaves = []
    for image in images[:, margin:-margin, margin:-margin].astype(np.float32):
        laplacian = 4 * image[1:-1, 1:-1] - image[:-2, 1:-1] - image[2:, 1:-1] - image[1:-1, :-2] - image[1:-1, 2:]
        octaves.append(np.log2((laplacian.std() + 1e-3) / (image.std() + 1e-3)))
    return np.array(octaves, np.float32)


def _mutual(pairs: NDArray[np.intp], scores: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the pairs in which each is the best partner of the other."""
    best: dict[int, int] = {}
    for row in np.argsort(-scores, kind="stable"):
        for place in pairs[row]:
            best.setdefault(int(place), int(row))
    return pairs[[row for row, (one, other) in enumerate(pairs.tolist()) if best[one] == best[other] == row]]


def _speakers(group: NDArray[np.int64], sharpness: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return, for each group, the place of its image of middle sharpness."""
    order = np.lexsort((sharpness, group))
    _, starts, counts = np.unique(group[order], return_index=True, return_counts=True)
    return np.sort(order[starts + counts // 2])
