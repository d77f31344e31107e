from __future__ import annotations

import csv
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from spinealign.cohort.duplicates.similarity import group_by_looks
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import load_images
from spinealign.config import ConditioningConfig
from spinealign.imaging.preprocessing import render
from spinealign.phantoms.axial_neck import draw_phantom

SHARPEN = ImageFilter.Kernel((3, 3), (-1, -1, -1, -1, 9, -1, -1, -1, -1), 1)


@pytest.fixture(scope="module")
def phantoms() -> list[Image.Image]:
    return [Image.fromarray(render(draw_phantom(seed, fractured=seed % 2 == 0, size=224).slice)) for seed in range(6)]


def turned(image: Image.Image, angle_deg: float) -> Image.Image:
    return image.rotate(angle_deg, Image.Resampling.BICUBIC)


def recompressed(image: Image.Image) -> Image.Image:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=60)
    return Image.open(stream)


COPIES = {
    "turned": lambda image: turned(image, 37.3),
    "turned far": lambda image: turned(image, 171),
    "mirrored": lambda image: ImageOps.mirror(turned(image, 12)),
    "sharpened": lambda image: turned(image, 61).filter(SHARPEN),
    "resized": lambda image: turned(image, 5).resize((128, 128)).resize((224, 224)),
    "recompressed": lambda image: recompressed(turned(image, 95)),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_grouped_with_its_phantom_and_no_other(phantoms, kind):
    copies = [COPIES[kind](image) for image in phantoms]
    groups = group_by_looks(np.stack([np.asarray(image) for image in phantoms + copies]), progress=False)
    assert groups.tolist() == list(range(6)) * 2


def test_different_phantoms_are_not_grouped(phantom_folder):
    loaded = load_images(index_cohort(phantom_folder), ConditioningConfig(), progress=False)
    assert len(set(group_by_looks(loaded.gray, progress=False).tolist())) == len(loaded.cohort)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_handful_of_images_is_no_special_case(phantoms, count):
    gray = np.stack([np.asarray(image.resize((96, 96))) for image in phantoms[:count]])
    assert group_by_looks(gray, progress=False).tolist() == list(range(count))


@pytest.mark.data
@pytest.mark.slow
def test_real_copies_are_found_without_their_names(data):
    with (data / "cervical fracture.manifest.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if int(row["slice"]) in (1, 2, 18, 109, 110, 111)]
    random = np.random.default_rng(0)
    rows = [rows[place] for place in random.permutation(len(rows))]
    gray = np.stack([_gray(data / row["path"]) for row in rows])
    groups = group_by_looks(gray, progress=False)
    slices, series = (
        [tuple(row[name] for name in names) for row in rows] for names in (("series", "slice"), ("series",))
    )
    together, same_slice, same_series = (_pairs(kind) for kind in (groups.tolist(), slices, series))
    assert (together & same_slice).sum() >= 0.95 * same_slice.sum()
    assert (together & same_series).sum() >= 0.99 * together.sum()


def _gray(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L").resize((224, 224), Image.Resampling.BICUBIC))


def _pairs(kinds: list) -> np.ndarray:
    number = np.array([kinds.index(kind) for kind in kinds])
    return np.triu(number[:, None] == number, 1)


def test_equal_images_are_one_group_however_few(phantoms):
    image, other = (np.asarray(phantom.resize((96, 96))) for phantom in phantoms[:2])
    assert group_by_looks(np.stack([image, image]), progress=False).tolist() == [0, 0]
    assert group_by_looks(np.stack([other, image, image, image]), progress=False).tolist() == [0, 1, 1, 1]
    black = np.zeros_like(image)
    assert group_by_looks(np.stack([black, black, image]), progress=False).tolist() == [0, 0, 2]
