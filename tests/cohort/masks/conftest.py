"""Drawn sagittal slices with masks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Drawing = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@pytest.fixture
def drawing() -> Drawing:
    """Gray levels and numbers of four bodies from below, 256 x 160 pixels; below them is a fifth without a number."""
    labels = np.zeros((256, 160), np.uint8)
    for number, top in enumerate(range(160, 0, -40), start=1):
        labels[top : top + 30, 60:96] = number
    gray = np.full(labels.shape, 60, np.uint8)
    gray[labels > 0] = gray[200:230, 60:96] = 200
    return gray, labels


@pytest.fixture
def table(tmp_path: Path, drawing: Drawing) -> Callable[..., Path]:
    """Write a folder in the general format, with one pair of files, and return it."""

    def write(*, image: str = "a.png", mask: str = "b.png", rows: str = "", labels: object = None) -> Path:
        gray, numbers = drawing
        Image.fromarray(gray).save(tmp_path / "a.png")
        Image.fromarray(numbers).save(tmp_path / "b.png")
        (tmp_path / "masks.csv").write_text(f"image,mask,patient,spacing_mm\n{image},{mask},7,1\n{rows}")
        names = {"1": "L5", "2": "L4", "3": "L3", "4": "L2"} if labels is None else labels
        (tmp_path / "labels.json").write_text(json.dumps(names))
        return tmp_path

    return write
