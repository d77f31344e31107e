"""Approximate nearest neighbors and connected components."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_DIMENSIONS = 32
_PCA_ROWS = 2000  # rows from which the principal directions are estimated
_ROWS = 16384  # vectors that are compared at a time
_TREES, _LEAF_SIZE, _NEIGHBORS = 8, 48, 5  # trees, vectors in a leaf, nearest vectors of each vector in a leaf


class Descriptors(Protocol):
    """N descriptors of F numbers: an array of shape (N, F), or what gives such arrays for some of the rows."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: NDArray[np.intp], /) -> NDArray[np.float32]: ...


def embed(descriptors: Descriptors) -> NDArray[np.float32]:
    """Project N descriptors to at most 32 principal directions, partly whitened, and to unit length."""
    blocks = np.array_split(np.arange(len(descriptors)), 1 + len(descriptors) // _PCA_ROWS)
    sums = [descriptors[block].sum(axis=0, dtype=float) for block in blocks]
    mean = (np.sum(sums, axis=0) / len(descriptors)).astype(np.float32)
    rows = np.random.default_rng(0).permutation(len(descriptors))[:_PCA_ROWS]
    centered = descriptors[rows] - mean
    variances, directions = np.linalg.eigh(centered.T @ centered)
    chosen = directions[:, ::-1][:, :_DIMENSIONS]
    # Full whitening would amplify the noise of the last directions; without any, the first would dominate.
    scale = np.maximum(variances[::-1][:_DIMENSIONS], 1e-6 * variances[-1] + 1e-12) ** 0.25
    projected = np.concatenate([(descriptors[block] - mean) @ chosen / scale for block in blocks])
    return projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), np.float32(1e-12))


def near_pairs(
    vectors: NDArray[np.float32], *, min_cosine: float, owner: NDArray[np.intp] | None = None
) -> NDArray[np.intp]:
    """Find pairs of near unit vectors, approximately, in O(N log N) time.

    Each of several random projection trees (Dasgupta and Freund, STOC 2008) halves the vectors by random hyperplanes
    down to small leaves; only vectors of one leaf are compared. Of N unit vectors, shape (N, D), the distinct pairs of
    indices with at least this cosine are returned, the smaller index first, shape (P, 2). Vectors of one owner, shape
    (N,), are not paired; without owners, all vectors are.
    """
    owner = np.arange(len(vectors)) if owner is None else owner
    random = np.random.default_rng(0)
    found = [np.empty(0, np.intp)]
    for _ in range(_TREES):
        for leaves in np.array_split(_leaves(vectors, random), 1 + len(vectors) // _ROWS, axis=0):
            grouped = vectors[leaves]
            cosines = grouped @ grouped.transpose(0, 2, 1)
            cosines[owner[leaves][:, :, None] == owner[leaves][:, None]] = -1
            nearest = np.argpartition(-cosines, min(_NEIGHBORS, leaves.shape[1]) - 1, axis=2)[:, :, :_NEIGHBORS]
            leaf, row, rank = np.nonzero(np.take_along_axis(cosines, nearest, axis=2) >= min_cosine)
            one, other = leaves[leaf, row], leaves[leaf, nearest[leaf, row, rank]]
            found.append(np.unique(np.minimum(one, other) * len(vectors) + np.maximum(one, other)))
    return np.stack(np.divmod(np.unique(np.concatenate(found)), max(len(vectors), 1)), axis=1)


def _leaves(vectors: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.intp]:
    """Return the indices of the vectors of each leaf, shape (L, K); a few vectors occur twice, to fill the leaves."""
    count = len(vectors)
    depth = max(0, math.ceil(math.log2(max(count, 1) / _LEAF_SIZE)))
    nodes = np.resize(random.permutation(count), (1, 2**depth * math.ceil(count / 2**depth)))
    for _ in range(depth):
        chosen = random.integers(nodes.shape[1], size=(2, len(nodes)))
        one, other = vectors[nodes[np.arange(len(nodes)), chosen]]
        node = np.repeat(np.arange(len(nodes)), nodes.shape[1])
        parts = np.array_split(np.arange(nodes.size), 1 + nodes.size // _ROWS)
        places = [np.einsum("nd,nd->n", vectors[nodes.ravel()[part]], (one - other)[node[part]]) for part in parts]
        half = nodes.shape[1] // 2
        order = np.argpartition(np.concatenate(places).reshape(nodes.shape), half, axis=1)
        nodes = np.take_along_axis(nodes, order, axis=1).reshape(-1, half)
    return nodes


def connect(count: int, pairs: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the connected component of each of `count` nodes, numbered by its first node, from pairs of shape (P, 2).

    Example:
        >>> connect(5, np.array([[0, 3], [3, 4]])).tolist()
        [0, 1, 2, 0, 0]
    """
    component = np.arange(count)
    while True:
        lowest = np.minimum(component[pairs[:, 0]], component[pairs[:, 1]])
        before = component.copy()
        np.minimum.at(component, component[pairs.ravel()], np.repeat(lowest, 2))
        component = component[component]
        if np.array_equal(before, component):
            return component
