"""Search for copies that were cropped, shifted or placed on a larger canvas.

1. Keypoints of all images are matched by their descriptors. One match proposes scale and shift between two images.
2. The correlation of small textures rejects most proposals.
3. The others are aligned precisely, and the correlation of the fine textures decides.

Copies without such a change are left to `similarity`: neighboring slices of one scan differ in neither scale nor shift.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spinealign.cohort.duplicates.alignment import Placement, correlate, refine
from spinealign.cohort.duplicates.keypoints import SIDE, find_keypoints, smooth, texture
from spinealign.cohort.duplicates.neighbors import connect, embed, near_pairs
from spinealign.cohort.image_store import Images

_CHUNK, _PROPOSALS, _BLOCK = 8, 512, 16  # images, proposals and pairs that are processed at a time
_SMALL = 16  # side of the small textures
_MIN_COSINE = 0.87
_SCALES = (0.55, 1.8)
_MIN_SHARE = 0.3  # of the smaller image that both show
_MIN_SMALL, _MIN_MIDDLE, _MIN_FINE = 0.65, 0.8, 0.7
_MIN_GAIN = 0.03  # of the correlation over that of the images as they are
_PER_MATCH = 0.1  # weight of the number of matches, in octaves, against the correlation
_PARTNERS = 2  # of an image, and of two groups
_CHANGED = (0.012, 0.018)  # smallest change of scale and shift; 0.018 is one pixel of 112

_READING = Lock()

Result = TypeVar("Result")


def join_crops(gray: Images, group: NDArray[np.int64], *, progress: bool = True) -> NDArray[np.int64]:
    """Join the groups of images that show one slice at another scale or place, as `find_crops`, shape (N,)."""
    pairs = find_crops(gray, group, progress=progress)
    return connect(len(gray), np.concatenate([pairs, np.stack([np.arange(len(gray)), group], axis=1)]))


def find_crops(gray: Images, group: NDArray[np.int64], *, progress: bool = True) -> NDArray[np.intp]:
    """Find pairs of images of different groups that show one slice at another scale or place.

    Args:
        gray: Shape (N, 224, 224).
        group: Group of each image by `group_similar_images`, shape (N,).
        progress: Show a progress bar.

    Returns:
        Indices of shape (P, 2).
    """
    if len(set(group.tolist())) < 2:
        return np.empty((0, 2), np.intp)
    pairs, placement = _proposals(gray)
    small = np.concatenate(_parallel(lambda part: _small(_read(gray, part)), len(gray), _CHUNK))
    chosen = _best_proposals(small, pairs, placement, group)
    pairs, placement = pairs[chosen], placement.at(chosen)
    with tqdm(desc="comparing crops", total=len(pairs), unit="pair", disable=None if progress else True) as bar:

        def compare(part: slice) -> NDArray[np.bool_]:
            same = _same_slice(gray, pairs[part], placement.at(part))
            bar.update(len(same))
            return same

        same = _parallel(compare, len(pairs), _BLOCK)
    return pairs[np.concatenate([np.empty(0, bool), *same])]


def _proposals(gray: Images) -> tuple[NDArray[np.intp], Placement]:
    """Return pairs of indices and the placement by a match of keypoints; a pair may occur several times."""
    found = _parallel(lambda part: find_keypoints(texture(_read(gray, part))), len(gray), _CHUNK)
    owner = np.concatenate([item.image + number * _CHUNK for number, item in enumerate(found)])
    place = np.concatenate([item.place for item in found])
    descriptors = np.concatenate([item.descriptor for item in found])
    if not len(owner):
        return np.empty((0, 2), np.intp), Placement(*np.empty((2, 0, 2), np.float32))
    matches = near_pairs(embed(descriptors), min_cosine=_MIN_COSINE, owner=owner)
    matches = np.where((owner[matches[:, 0]] > owner[matches[:, 1]])[:, None], matches[:, ::-1], matches)
    first, second = place[matches[:, 0]], place[matches[:, 1]]
    scale = second[:, 2] / first[:, 2]
    half = np.float32((SIDE - 1) / 2)
    shift = (second[:, :2] / half - 1) - scale[:, None] * (first[:, :2] / half - 1)
    plausible = (scale > _SCALES[0]) & (scale < _SCALES[1])
    placement = Placement(np.repeat(scale[:, None], 2, axis=1), shift)
    return owner[matches[plausible]], placement.at(plausible)


def _best_proposals(
    small: NDArray[np.float32], pairs: NDArray[np.intp], placement: Placement, group: NDArray[np.int64]
) -> NDArray[np.intp]:
    """Choose the best proposal of each pair, and of these the best pairs of each image and between two groups."""
    scores = _scores(small, pairs, placement)
    able = np.flatnonzero((scores >= _MIN_SMALL) & (group[pairs[:, 0]] != group[pairs[:, 1]]))
    able = able[np.argsort(-scores[able], kind="stable")]
    _, pair, matches = np.unique(pairs[able], axis=0, return_inverse=True, return_counts=True)
    scores[able] += _PER_MATCH * np.log2(matches[pair.ravel()])
    able = able[_rank_among_equals(pairs[able]) < 1]
    unchanged = Placement(np.ones((len(able), 2), np.float32), np.zeros((len(able), 2), np.float32))
    able = able[scores[able] > _scores(small, pairs[able], unchanged) + _MIN_GAIN]
    able = able[np.argsort(-scores[able], kind="stable")]
    able = able[_rank_among_equals(np.sort(group[pairs[able]], axis=1)) < _PARTNERS]
    ranks = _rank_among_equals(pairs[able].reshape(-1, 1)).reshape(-1, 2)
    return able[ranks.min(axis=1) < _PARTNERS]


def _scores(images: NDArray[np.float32], pairs: NDArray[np.intp], placement: Placement) -> NDArray[np.float32]:
    parts = _parallel(lambda part: _score(images, pairs[part], placement.at(part)), len(pairs), _PROPOSALS)
    return np.concatenate([np.empty(0, np.float32), *parts])


def _rank_among_equals(keys: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return for each row the number of equal rows before it, shape (N,), from keys of shape (N, K)."""
    _, number = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(number.ravel(), kind="stable")
    ordered = number.ravel()[order]
    rank = np.empty(len(keys), np.intp)
    rank[order] = np.arange(len(keys)) - np.searchsorted(ordered, ordered)
    return rank


def _same_slice(gray: Images, pairs: NDArray[np.intp], placement: Placement) -> NDArray[np.bool_]:
    """Align the pairs in two steps, and compare their fine textures, shape (P,)."""
    indices, local = np.unique(pairs, return_inverse=True)
    local, images = local.reshape(pairs.shape), _read(gray, indices)
    textures = texture(images)
    middle = _reduced(smooth(textures, 1.5), 2)
    placement = refine(middle, local, placement=placement, steps=4)
    scale, shift = (np.abs(value).max(axis=1) for value in (np.log(placement.scale), placement.shift))
    score = _score(middle, local, placement)
    able = np.flatnonzero((score >= _MIN_MIDDLE) & ((scale > _CHANGED[0]) | (shift > _CHANGED[1])))
    placement = refine(smooth(textures, 0.8), local[able], placement=placement.at(able), steps=2)
    same = np.zeros(len(pairs), bool)
    same[able] = _score(_fine_texture(images), local[able], placement) >= _MIN_FINE
    return same


def _score(images: NDArray[np.float32], pairs: NDArray[np.intp], placement: Placement) -> NDArray[np.float32]:
    """Return the correlation of each pair, or -1 if the common area is too small."""
    scores, share = correlate(images, pairs, placement=placement)
    return np.where(share >= _MIN_SHARE, scores, np.float32(-1))


def _fine_texture(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the band of the finest details, divided by its local contrast, in [-2, 2]."""
    from scipy.ndimage import gaussian_filter

    images = gray.astype(np.float32)
    narrow, wide = (gaussian_filter(images, (0, sigma, sigma), truncate=3) for sigma in (1, 2))
    contrast = np.sqrt(gaussian_filter((narrow - wide) ** 2, (0, 4, 4), truncate=2))
    return np.clip((narrow - wide) / (contrast + np.float32(0.3)), -2, 2)


def _read(gray: Images, part: slice | NDArray[np.intp]) -> NDArray[np.uint8]:
    with _READING:  # files are read by one thread at a time
        return gray[part]


def _small(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    return _reduced(smooth(texture(gray), 2.5), SIDE // _SMALL)


def _reduced(images: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    side = images.shape[1] // factor
    return images.reshape(len(images), side, factor, side, factor).mean(axis=(2, 4), dtype=np.float32)


def _parallel(work: Callable[[slice], Result], count: int, size: int) -> list[Result]:
    """Return the results for consecutive slices of `count` items."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, [slice(start, start + size) for start in range(0, count, size)]))
