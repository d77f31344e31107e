"""Visual similarity: groups of images that show one slice.

Copies may be rotated by any angle, mirrored, sharpened, blurred, resized and recompressed. Images with equal pixels are
copies. The others are compared in three steps, each slower and applied to fewer pairs than the one before:

1. Fourier magnitudes of the coarse polar images, which do not depend on rotation and mirroring. Random trees find near
   pairs without comparing all pairs.
2. Correlation of the coarse polar images at their best rotation.
3. Correlation of the fine polar images. At this scale, noise and trabecular texture distinguish neighboring slices,
   and phantoms of the same shape.
"""

from __future__ import annotations

import tempfile
from typing import IO

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spinealign.cohort.duplicates.neighbors import connect, embed, near_pairs
from spinealign.cohort.duplicates.polar import PolarForm
from spinealign.cohort.image_store import Images, pixel_keys, subset

SIDE = 224
COARSE = PolarForm(SIDE, reduction=2, rings=32, angles=128, harmonics=48, band=(1.0, 4.0), min_contrast=3.0)
FINE = PolarForm(SIDE, reduction=1, rings=64, angles=384, harmonics=160, band=(1.0, 2.0), min_contrast=0.3)
_HARMONICS = 16  # in step 1
_MIN_COSINE, _MIN_COARSE = 0.3, 0.65
# Fine correlations among 1,400 real images. Equal sharpness: 0.82 to 1 for copies, each of which has one above 0.91;
# below 0.90 for neighboring slices. Sharpened and plain: 0.46 to 0.90 for copies, 0.32 to 0.76 for neighbors; if an
# image has both, the copy scores higher. The highest of two different phantoms among 7,400: 0.34.
CERTAIN, POSSIBLE = 0.91, 0.42
_MIN_SHARPNESS_GAP = 0.75  # octaves
_BLOCK = 128  # pairs with fine spectra in memory at a time


def group_similar_images(gray: Images, *, progress: bool = True) -> NDArray[np.int64]:
    """Group images that show the same slice.

    Groups grow in rounds. Pairs of certain copies are joined first, and one image represents its group in the next
    round. When no certain pair is left, two groups are joined if each is the most similar to the other and their
    sharpness differs: images of equal sharpness without a certain match are different slices. A sharpened image
    without plain copies may therefore join a neighboring slice; a missed copy would be the worse error.

    For gray images of shape (N, 224, 224), the index of the first image of each group is returned, shape (N,).
    """
    seen: dict[bytes, int] = {}
    first = np.array([seen.setdefault(key, index) for index, key in enumerate(pixel_keys(gray))], np.int64)
    distinct = np.flatnonzero(first == np.arange(len(gray)))
    chosen = subset(gray, distinct)
    with tempfile.TemporaryFile() as coarse, tempfile.TemporaryFile() as fine:
        group = _group_distinct(_Spectra(COARSE, chosen, coarse), _Spectra(FINE, chosen, fine), progress=progress)
    return distinct[group][np.searchsorted(distinct, first)]


def _group_distinct(coarse: _Spectra, fine: _Spectra, *, progress: bool) -> NDArray[np.int64]:
    images = coarse.images
    vectors = embed(_Magnitudes(coarse))
    sharpness = _sharpness(images)
    group = np.arange(len(images))
    representatives = group
    with tqdm(desc="comparing images", unit="pair", disable=None if progress else True) as bar:
        while True:
            pairs = representatives[near_pairs(vectors[representatives], min_cosine=_MIN_COSINE)]
            pairs = pairs[coarse.correlate(pairs) >= _MIN_COARSE]
            scores = fine.correlate(pairs)
            bar.update(len(pairs))
            joined = pairs[scores >= CERTAIN]
            if not len(joined):
                differ = np.abs(np.diff(sharpness[pairs], axis=1)[:, 0]) > _MIN_SHARPNESS_GAP
                possible = differ & (scores >= POSSIBLE)
                joined = _mutual(pairs[possible], scores[possible])
            if not len(joined):
                return group
            group = connect(len(images), np.concatenate([joined, np.stack([np.arange(len(group)), group], axis=1)]))
            representatives = _representatives(group, sharpness)


class _Spectra:
    """Spectra of images, computed on first use and kept in a file in half precision."""

    def __init__(self, form: PolarForm, images: Images, file: IO[bytes]) -> None:
        self.form = form
        self.images = images
        self._known = np.zeros(len(images), bool)
        self._file = file

    def of(self, indices: NDArray[np.intp]) -> NDArray[np.complex64]:
        """Return the spectra of the images at these indices."""
        missing = np.unique(indices[~self._known[indices]])
        for start in range(0, len(missing), _BLOCK):
            block = missing[start : start + _BLOCK]
            halves = self.form.spectra(self.images[block]).view(np.float32).astype(np.float16)
            for index, row in zip(block.tolist(), halves):
                self._file.seek(index * row.nbytes)
                self._file.write(row.tobytes())
        self._known[missing] = True
        shape = (self.form.rings, 2 * self.form.harmonics)
        kept = np.empty((len(indices), *shape), np.float32)
        for index, row in zip(indices.tolist(), kept):
            self._file.seek(index * row.size * 2)
            row[:] = np.frombuffer(self._file.read(row.size * 2), np.float16).reshape(shape)
        return kept.view(np.complex64)

    def correlate(self, pairs: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the correlation of each pair of indices, shape (P,)."""
        blocks = [pairs[start : start + _BLOCK].T for start in range(0, len(pairs), _BLOCK)]
        found = [self.form.correlations(self.of(one), self.of(other)) for one, other in blocks]
        return np.concatenate([np.empty(0, np.float32), *found])


class _Magnitudes:
    """Low harmonics of spectra without their phases, which depend on the rotation; shape (N, rings * harmonics)."""

    def __init__(self, spectra: _Spectra) -> None:
        self._spectra = spectra

    def __len__(self) -> int:
        return len(self._spectra.images)

    def __getitem__(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        return np.abs(self._spectra.of(rows)[:, :, :_HARMONICS]).reshape(len(rows), -1)


def _sharpness(images: Images) -> NDArray[np.float32]:
    """Return the contrast of edges relative to that of the central region of each image, in octaves."""
    margin = images.shape[1] // 8
    octaves = []
    for whole in images:
        image = whole[margin:-margin, margin:-margin].astype(np.float32)
        laplacian = 4 * image[1:-1, 1:-1] - image[:-2, 1:-1] - image[2:, 1:-1] - image[1:-1, :-2] - image[1:-1, 2:]
        octaves.append(np.log2((laplacian.std() + 1e-3) / (image.std() + 1e-3)))
    return np.array(octaves, np.float32)


def _mutual(pairs: NDArray[np.intp], scores: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the pairs in which each image is the best match of the other."""
    best: dict[int, int] = {}
    for row in np.argsort(-scores, kind="stable"):
        for index in pairs[row]:
            best.setdefault(int(index), int(row))
    return pairs[[row for row, (one, other) in enumerate(pairs.tolist()) if best[one] == best[other] == row]]


def _representatives(group: NDArray[np.int64], sharpness: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the index of the image of median sharpness of each group."""
    order = np.lexsort((sharpness, group))
    _, starts, counts = np.unique(group[order], return_index=True, return_counts=True)
    return np.sort(order[starts + counts // 2])
