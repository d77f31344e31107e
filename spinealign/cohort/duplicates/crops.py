"""Search for copies that were cropped, shifted or placed on a larger canvas.

1. Keypoints of all images are matched by their descriptors. Each match proposes scale and shift between two images, and
   a pair of images is a candidate if two matches agree.
2. Small textures of the candidates are aligned, and their correlation rejects most of them.
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
from spinealign.cohort.duplicates.keypoints import SIDE, Keypoints, find_keypoints, smooth, texture
from spinealign.cohort.duplicates.neighbors import connect, embed, near_pairs
from spinealign.cohort.image_store import Images

_CHUNK, _SMALL_BLOCK, _BLOCK = 8, 128, 16  # images, pairs of small textures and pairs that are processed at a time
_MIN_COSINE = 0.87
_SCALES = (0.55, 1.8)
_AGREEMENT, _MATCHES = 0.08, 8  # largest difference of agreeing placements; matches that are compared with each
_QUANTUM = 1 / 50  # of the small textures, which are kept as integers
_MIN_SHARE = 0.3  # of the smaller image that both show
_MIN_PROPOSED, _MIN_SMALL, _MIN_MIDDLE = 0.2, 0.75, 0.8
SAME = 0.6  # score of copies
_MIN_GAIN = 0.03  # of the correlation over that of the images as they are
_PER_VOTE = 0.1  # weight of the number of matches, in octaves, against the correlation
_CANDIDATES, _PARTNERS = 12, 5  # of an image for steps 2 and 3
_CHANGED = (0.012, 0.018)  # smallest change of scale and shift; 0.018 is one pixel of 112

_READING = Lock()

Result = TypeVar("Result")


def join_crops(gray: Images, group: NDArray[np.int64], *, progress: bool = True) -> NDArray[np.int64]:
    """Join the groups of images that show one slice at another scale or place, shape (N,).

    A copy is also similar to the neighbors of its slice in the scan. A pair is therefore joined only if it is the best
    of one of its images.
    """
    pairs, scores = find_crops(gray, group, progress=progress)
    pairs = pairs[scores >= SAME][np.argsort(-scores[scores >= SAME], kind="stable")]
    pairs = pairs[_rank_among_images(pairs) < 1]
    return connect(len(gray), np.concatenate([pairs, np.stack([np.arange(len(gray)), group], axis=1)]))


def find_crops(
    gray: Images, group: NDArray[np.int64], *, progress: bool = True
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Find pairs of images of different groups that may show one slice at another scale or place.

    Args:
        gray: Shape (N, 224, 224).
        group: Group of each image by `group_similar_images`, shape (N,).
        progress: Show a progress bar.

    Returns:
        Pairs of indices, shape (P, 2), and the correlation of their fine textures, at least `SAME` for copies.
    """
    if len(set(group.tolist())) < 2:
        return np.empty((0, 2), np.intp), np.empty(0, np.float32)
    found = _parallel(lambda part: _features(_read(gray, part)), len(gray), _CHUNK)
    small = np.concatenate([textures for _, textures in found])
    pairs, placement, votes = _candidates([keypoints for keypoints, _ in found], group)
    chosen, placement = _best_candidates(small, pairs, placement, votes)
    pairs = pairs[chosen]
    with tqdm(desc="comparing crops", total=len(pairs), unit="pair", disable=None if progress else True) as bar:

        def compare(part: slice) -> NDArray[np.float32]:
            scores = _compare(gray, pairs[part], placement.at(part))
            bar.update(len(scores))
            return scores

        scores = np.concatenate([np.empty(0, np.float32), *_parallel(compare, len(pairs), _BLOCK)])
    return pairs, scores


def _features(gray: NDArray[np.uint8]) -> tuple[Keypoints, NDArray[np.int8]]:
    """Return keypoints and small textures, shape (N, 28, 28)."""
    textures = texture(gray)
    small = _reduced(smooth(textures, 2), 4) / np.float32(_QUANTUM)
    return find_keypoints(textures), np.clip(small.round(), -127, 127).astype(np.int8)


def _candidates(
    found: list[Keypoints], group: NDArray[np.int64]
) -> tuple[NDArray[np.intp], Placement, NDArray[np.intp]]:
    """Return pairs of images with matches that agree, the mean placement by these, and their number.

    A pair occurs twice if there is another placement with matches that agree.
    """
    owner = np.concatenate([item.image + number * _CHUNK for number, item in enumerate(found)])
    place = np.concatenate([item.place for item in found])
    descriptors = np.concatenate([item.descriptor for item in found])
    matches = (
        near_pairs(embed(descriptors), min_cosine=_MIN_COSINE, owner=owner) if len(owner) else np.empty((0, 2), int)
    )
    pairs = np.sort(owner[matches], axis=1)
    matches = matches[np.lexsort(pairs.T)]
    matches = np.where((owner[matches[:, 0]] > owner[matches[:, 1]])[:, None], matches[:, ::-1], matches)
    matches = matches[group[owner[matches[:, 0]]] != group[owner[matches[:, 1]]]]
    scale = place[matches[:, 1], 2] / place[matches[:, 0], 2]
    kept = (scale > _SCALES[0]) & (scale < _SCALES[1])
    matches, scale = matches[kept], scale[kept]
    first, second = (place[matches[:, side], :2] / np.float32((SIDE - 1) / 2) - 1 for side in (0, 1))
    shift = second - scale[:, None] * first
    pairs = owner[matches]
    votes, mean = _votes(pairs, np.column_stack([np.log(scale), shift]))
    order = np.lexsort((-votes, *pairs.T))
    order = order[votes[order] > 1]
    best = _first_of_equals(pairs[order])
    others = order[(np.abs(mean[order] - mean[order[best]]) > _AGREEMENT).any(axis=1)]
    chosen = np.concatenate([order[np.unique(best)], others[np.unique(_first_of_equals(pairs[others]))]])
    scale, shift = np.exp(mean[chosen, :1]), mean[chosen, 1:]
    return pairs[chosen], Placement(np.repeat(scale, 2, axis=1), shift), votes[chosen]


def _first_of_equals(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the index of the first of each run of equal rows for all its rows, shape (N,)."""
    is_first = (np.diff(rows, axis=0, prepend=-1) != 0).any(axis=1)
    return np.maximum.accumulate(np.where(is_first, np.arange(len(rows)), 0))


def _votes(pairs: NDArray[np.intp], placement: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return for each match how many of its pair have about its placement, shape (N,), and their mean placement.

    The pairs are sorted; logarithm of the scale, and shift are the `placement`, shape (N, 3).
    """
    votes, total = np.ones(len(pairs), np.intp), placement.copy()
    for step in range(1, _MATCHES):
        agree = (pairs[step:] == pairs[:-step]).all(axis=1)
        agree &= (np.abs(placement[step:] - placement[:-step]) < _AGREEMENT).all(axis=1)
        one = np.flatnonzero(agree)
        votes[one + step] += 1
        votes[one] += 1
        total[one + step] += placement[one]
        total[one] += placement[one + step]
    return votes, (total / votes[:, None]).astype(np.float32)


def _best_candidates(
    small: NDArray[np.int8], pairs: NDArray[np.intp], placement: Placement, votes: NDArray[np.intp]
) -> tuple[NDArray[np.intp], Placement]:
    """Choose the pairs that the small textures agree with, and return their indices and improved placements."""

    def proposed(part: slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        local, textures = _of_pairs(small, pairs[part])
        flat = textures.reshape(len(textures), -1)
        flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.float32(1e-6))
        unchanged = np.einsum("ps,ps->p", *flat[local.T])
        return _score(textures, local, placement.at(part)), unchanged

    scores, before = _joined(_parallel(proposed, len(pairs), _SMALL_BLOCK), 2)
    able = np.flatnonzero((scores >= _MIN_PROPOSED) & (scores > before))
    able = able[np.argsort(-scores[able] - _PER_VOTE * np.log2(votes[able]), kind="stable")]
    able = able[np.sort(np.unique(pairs[able], axis=0, return_index=True)[1])]
    able = able[_rank_among_images(pairs[able]) < _CANDIDATES]

    def aligned(part: slice) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        local, textures = _of_pairs(small, pairs[able[part]])
        better = refine(textures, local, placement=placement.at(able[part]), steps=4)
        return _score(textures, local, better), *better

    scores, scale, shift = _joined(_parallel(aligned, len(able), _SMALL_BLOCK), 3)
    better = Placement(scale.reshape(-1, 2), shift.reshape(-1, 2))
    kept = np.flatnonzero((scores >= _MIN_SMALL) & (scores > before[able] + _MIN_GAIN) & _is_change(better))
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    kept = kept[_rank_among_images(pairs[able[kept]]) < _PARTNERS]
    return able[kept], better.at(kept)


def _joined(parts: list[tuple[NDArray[np.float32], ...]], count: int) -> list[NDArray[np.float32]]:
    """Return each of `count` arrays that are given in parts."""
    return [np.concatenate(values) for values in zip(*parts)] or [np.empty(0, np.float32)] * count


def _of_pairs(small: NDArray[np.int8], pairs: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the textures of the images of some pairs, and the pairs of their indices among these."""
    indices, local = np.unique(pairs, return_inverse=True)
    return local.reshape(pairs.shape), small[indices] * np.float32(_QUANTUM)


def _is_change(placement: Placement) -> NDArray[np.bool_]:
    scale, shift = (np.abs(value).max(axis=1) for value in (np.log(placement.scale), placement.shift))
    return (scale > _CHANGED[0]) | (shift > _CHANGED[1])


def _rank_among_images(pairs: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each pair how many earlier pairs have its images: the smaller number of the two, shape (N,)."""
    images = pairs.ravel()
    order = np.argsort(images, kind="stable")
    rank = np.empty(len(images), np.intp)
    rank[order] = np.arange(len(images)) - np.searchsorted(images[order], images[order])
    return rank.reshape(pairs.shape).min(axis=1)


def _compare(gray: Images, pairs: NDArray[np.intp], placement: Placement) -> NDArray[np.float32]:
    """Align the pairs in two steps, and compare their fine textures; -1 if they differ already before, shape (P,)."""
    indices, local = np.unique(pairs, return_inverse=True)
    local, images = local.reshape(pairs.shape), _read(gray, indices)
    textures = texture(images)
    middle = _reduced(smooth(textures, 1.5), 2)
    placement = refine(middle, local, placement=placement, steps=2)
    able = np.flatnonzero((_score(middle, local, placement) >= _MIN_MIDDLE) & _is_change(placement))
    chosen, local = np.unique(local[able], return_inverse=True)
    local = local.reshape(-1, 2)
    placement = refine(smooth(textures[chosen], 0.8), local, placement=placement.at(able), steps=2)
    scores = np.full(len(pairs), -1, np.float32)
    scores[able] = _score(_fine_texture(images[chosen]), local, placement)
    return scores


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


def _reduced(images: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    side = images.shape[1] // factor
    return images.reshape(len(images), side, factor, side, factor).mean(axis=(2, 4), dtype=np.float32)


def _parallel(work: Callable[[slice], Result], count: int, size: int) -> list[Result]:
    """Return the results for consecutive slices of `count` items."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, [slice(start, start + size) for start in range(0, count, size)]))
