"""Drawn films as collections on the disk."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spinealign.phantoms.frontal_spine import draw_frontal_spine

SIZE = (90, 200)  # width and height of the files


def fractions(nodes: list[float]) -> np.ndarray:
    film = draw_frontal_spine(nodes, height=128)
    return film.corners / film.slice.shape[::-1]


@pytest.fixture(scope="session")
def curved() -> np.ndarray:
    """Corners of 17 vertebrae as fractions, with one curve of 40 degrees."""
    return fractions([-20, 20])


WriteTable = Callable[[str, Mapping[str, np.ndarray | None]], Path]


@pytest.fixture
def write_table(tmp_path: Path) -> WriteTable:
    """Return a function that writes a table of films by name, with their files; None is a film without vertebrae."""

    def write(split: str, films: Mapping[str, np.ndarray | None]) -> Path:
        (tmp_path / split).mkdir(exist_ok=True)
        with (tmp_path / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["file", *(f"x{place}" for place in range(68)), *(f"y{place}" for place in range(68))])
            for name, corners in films.items():
                Image.new("L", SIZE, len(name)).save(tmp_path / split / name)
                points = [[""] * 68] * 2 if corners is None else corners.reshape(-1, 2).T.tolist()
                writer.writerow([name, *points[0], *points[1]])
        return tmp_path

    return write


def write_coco(folder: Path, spines: Mapping[str, list[list[np.ndarray]]]) -> Path:
    """Write a COCO file of films by name; each inner list is one annotation of vertebrae of shape (4, 2) in pixels."""
    images, annotations = [], []
    for number, (name, marks) in enumerate(spines.items()):
        Image.new("L", SIZE).save(folder / name)
        images.append({"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]})
        for vertebrae in marks:
            points = np.concatenate([np.reshape(vertebrae, (-1, 2)), np.full((4 * len(vertebrae), 1), 2)], axis=1)
            annotations.append({"image_id": number, "category_id": 1, "keypoints": points.ravel().tolist()})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "vertebra"}]}
    (folder / "val.json").write_text(json.dumps(content))
    return folder
