"""Approximate nearest neighbors and connected components."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_PCA_ROWS = 2000  # rows from which the principal directions are estimated


def embed(descriptors: NDArray[np.float32], *, dimensions: int = 32, seed: int = 0) -> NDArray[np.float32]:
    """Project descriptors to their principal directions, partly whitened, and to the unit sphere.

    Args:
        descriptors: Descriptors of shape (N, F).
        dimensions: Number of directions; fewer if there are fewer features.
        seed: Seed of the choice of rows from which the directions are estimated.

    Returns:
        Unit vectors of shape (N, at most `dimensions`).
    """
    centered = descriptors - descriptors.mean(axis=0)
    rows = np.random.default_rng(seed).permutation(len(centered))[:_PCA_ROWS]
    variances, directions = np.linalg.eigh(centered[rows].T @ centered[rows])
    chosen = directions[:, ::-1][:, :dimensions]
    # Full whitening would amplify the noise of the last directions; without any, the first would dominate.
    scale = np.maximum(variances[::-1][:dimensions], 1e-6 * variances[-1] + 1e-12) ** 0.25
    projected = centered @ chosen / scale
    return projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), np.float32(1e-12))


def near_pairs(
    vectors: NDArray[np.float32],
    *,
    min_cosine: float,
    neighbors: int = 5,
    trees: int = 8,
    leaf_size: int = 48,
    seed: int = 0,
) -> NDArray[np.intp]:
    """Find pairs of near unit vectors, approximately, in O(N log N) time.

    Each of several random projection trees (Dasgupta and Freund, STOC 2008) halves the vectors by random hyperplanes
    down to small leaves; only vectors of one leaf are compared.

    Args:
        vectors: Unit vectors of shape (N, D).
        min_cosine: Smallest cosine of a pair.
        neighbors: Number of nearest vectors kept for each vector in each leaf.
        trees: Number of trees.
        leaf_size: Largest number of vectors in a leaf.
        seed: Seed of the hyperplanes.

    Returns:
        Distinct pairs of indices, the smaller first, shape (P, 2).
    """
    random = np.random.default_rng(seed)
    found = [np.empty((0, 2), np.intp)]
    for _ in range(trees):
        for leaf in _leaves(vectors, leaf_size, random):
            cosines = vectors[leaf] @ vectors[leaf].T
            np.fill_diagonal(cosines, -1)
            nearest = np.argsort(-cosines, axis=1)[:, :neighbors]
            rows, ranks = np.nonzero(np.take_along_axis(cosines, nearest, axis=1) >= min_cosine)
            found.append(np.sort(np.stack([leaf[rows], leaf[nearest[rows, ranks]]], axis=1), axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _leaves(vectors: NDArray[np.float32], leaf_size: int, random: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    nodes = [np.arange(len(vectors))]
    while nodes:
        indices = nodes.pop()
        if len(indices) <= leaf_size:
            yield indices
            continue
        one, other = vectors[random.choice(indices, 2, replace=False)]
        order = np.argsort(vectors[indices] @ (one - other), kind="stable")
        half = len(indices) // 2
        nodes += [indices[order[:half]], indices[order[half:]]]


def connect(count: int, pairs: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the connected component of each node, numbered by its first node.

    Args:
        count: Number of nodes.
        pairs: Indices of connected nodes, shape (P, 2).

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
