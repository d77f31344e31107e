"""Probabilities of a segmenter that sees a drawn spine exactly."""

from __future__ import annotations

import numpy as np
import pytest

from spinealign.phantoms.sagittal_spine import DrawnSagittal, draw_sagittal_spine


def exact_probabilities(drawn: DrawnSagittal) -> np.ndarray:
    """Return the shares of bodies, L5 and S1 in each pixel, with empty discs and canal, shape (5, H, W)."""
    body, l5, s1 = drawn.masks[:7].max(axis=0), drawn.masks[6], drawn.masks[7]
    return np.stack([body, l5, s1, np.zeros_like(body), np.zeros_like(body)])


@pytest.fixture(scope="package")
def drawn() -> DrawnSagittal:
    return draw_sagittal_spine(seed=3)


@pytest.fixture
def probabilities(drawn: DrawnSagittal) -> np.ndarray:
    return exact_probabilities(drawn)
