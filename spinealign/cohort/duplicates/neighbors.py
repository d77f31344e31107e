"""Find what lies near without comparing everything with everything."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_SAMPLE = 2000  # rows from which the main directions are estimated


def embed(descriptors: NDArray[np.float32], *, dimensions: int = 32, seed: int = 0) -> NDArray[np.float32]:
    """Project descriptors on their main directions, evened out, to the unit sphere.

    Args:
        descriptors: Of shape (N, F).
        dimensions: Number of directions; fewer where there are fewer rows.
        seed: Seed of the choice of rows from which the directions are estimated.

    Returns:
        Unit vectors of shape (N, at most `dimensions`).
    """
    centered = descriptors - descriptors.mean(axis=0)
    rows = np.random.default_rng(seed).permutation(len(centered))[:_SAMPLE]
    variances, directions = np.linalg.eigh(centered[rows].T @ centered[rows])
    chosen = directions[:, ::-1][:, :dimensions]
    # Full whitening would lift the noise of the last directions; none would leave all to the first.
    scale = np.maximum(variances[::-1][:dimensions], 1e-6 * variances[-1] + 1e-12) ** 0.25
    projected = centered @ chosen / scale
    return projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), np.float32(1e-12))


def near_pairs(
    vectors: NDArray[np.float32], *, least: float, neighbors: int = 5, trees: int = 8, leaf: int = 48, seed: int = 0
) -> NDArray[np.intp]:
    """Return pairs of unit vectors that probably lie near each other, in a time that grows as N log N.

    Each of several random trees halves the vectors by random hyperplanes until a leaf holds few (random projection
    trees: Dasgupta and Freund, STOC 2008); only vectors of one leaf are compared.

    Args:
        vectors: Of shape (N, D).
        least: Smallest cosine of a pair.
        neighbors: Nearest vectors that are kept for each vector, of each leaf.
        trees: Number of trees.
        leaf: Largest number of vectors in a leaf.
        seed: Seed of the hyperplanes.

    Returns:
        Distinct pairs of places, the smaller first, shape (P, 2).
    """
    random = np.random.default_rng(seed)
    found = [np.empty((0, 2), np.intp)]
    for _ in range(trees):
        for places in _leaves(vectors, leaf, random):
            cosines = vectors[places] @ vectors[places].T
            np.fill_diagonal(cosines, -1)
            nearest = np.argsort(-cosines, axis=1)[:, :neighbors]
            rows, ranks = np.nonzero(np.take_along_axis(cosines, nearest, axis=1) >= least)
            found.append(np.sort(np.stack([places[rows], places[nearest[rows, ranks]]], axis=1), axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _leaves(vectors: NDArray[np.float32], leaf: int, random: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    open_nodes = [np.arange(len(vectors))]
    while open_nodes:
        places = open_nodes.pop()
        if len(places) <= leaf:
            yield places
            continue
        one, other = vectors[random.choice(places, 2, replace=False)]
        order = np.argsort(vectors[places] @ (one - other), kind="stable")
        half = len(places) // 2
        open_nodes += [places[order[:half]], places[order[half:]]]


def connect(count: int, pairs: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the connected component of each of `count` things, numbered by its first member.

    Args:
        count: Number of things.
        pairs: Places of connected things, shape (P, 2).

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
