from __future__ import annotations

import numpy as np

from spinealign.cohort.duplicates.neighbors import connect, embed, near_pairs


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_near_vectors_are_found_among_many():
    random = np.random.default_rng(0)
    base = random.normal(size=(1000, 16))
    vectors = unit(np.concatenate([base, base + 0.05 * random.normal(size=base.shape)]))
    found = {tuple(pair) for pair in near_pairs(vectors, min_cosine=0.9).tolist()}
    hits = sum((index, index + 1000) in found for index in range(1000))
    assert hits > 990
    assert len(found) < 1010  # and hardly any other pair


def test_the_number_of_pairs_is_bounded():
    vectors = unit(np.random.default_rng(1).normal(size=(3000, 8)))
    assert len(near_pairs(vectors, min_cosine=-1)) <= 3000 * 5 * 8


def test_a_single_vector_has_no_neighbor():
    assert near_pairs(np.ones((1, 4), np.float32), min_cosine=0).shape == (0, 2)


def test_the_embedding_keeps_near_vectors_near():
    random = np.random.default_rng(2)
    one = random.normal(size=(200, 64)).astype(np.float32)
    vectors = embed(np.concatenate([one, one + 0.01]))
    assert vectors.shape == (400, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert (vectors[:200] * vectors[200:]).sum(axis=1).min() > 0.95


def test_chains_are_connected():
    pairs = np.array([[index, index + 1] for index in range(0, 99)])[::-1]
    assert set(connect(100, pairs).tolist()) == {0}
    assert connect(3, np.empty((0, 2), np.intp)).tolist() == [0, 1, 2]
