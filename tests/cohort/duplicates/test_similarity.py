from __future__ import annotations

import csv
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from spinealign.cohort.duplicates.similarity import group_similar_images
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import read_cohort
from spinealign.imaging.preprocessing import render
from spinealign.phantoms.axial_neck import draw_phantom

SHARPEN = ImageFilter.Kernel((3, 3), (-1, -1, -1, -1, 9, -1, -1, -1, -1), 1)


@pytest.fixture(scope="module")
def phantoms() -> list[Image.Image]:
    return [Image.fromarray(render(draw_phantom(seed, fractured=seed % 2 == 0, size=224).slice)) for seed in range(6)]


def rotated(image: Image.Image, angle_deg: float) -> Image.Image:
    return image.rotate(angle_deg, Image.Resampling.BICUBIC)


def recompressed(image: Image.Image) -> Image.Image:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=60)
    return Image.open(stream)


COPIES = {
    "rotated": lambda image: rotated(image, 37.3),
    "rotated far": lambda image: rotated(image, 171),
    "mirrored": lambda image: ImageOps.mirror(rotated(image, 12)),
    "sharpened": lambda image: rotated(image, 61).filter(SHARPEN),
    "resized": lambda image: rotated(image, 5).resize((128, 128)).resize((224, 224)),
    "recompressed": lambda image: recompressed(rotated(image, 95)),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_grouped_with_its_phantom_and_no_other(phantoms, kind):
    copies = [COPIES[kind](image) for image in phantoms]
    groups = group_similar_images(np.stack([np.asarray(image) for image in phantoms + copies]), progress=False)
    assert groups.tolist() == list(range(6)) * 2


def test_different_phantoms_are_not_grouped(phantom_folder):
    loaded = read_cohort(index_cohort(phantom_folder), progress=False)
    assert len(set(loaded.visual_groups(progress=False).tolist())) == len(loaded.cohort)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_to_three_images_can_be_grouped(phantoms, count):
    gray = np.stack([np.asarray(image) for image in phantoms[:count]])
    assert group_similar_images(gray, progress=False).tolist() == list(range(count))


@pytest.mark.data
@pytest.mark.slow
def test_real_copies_are_found_without_file_names(data):
    with (data / "cervical fracture.manifest.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if int(row["slice"]) in (1, 2, 18, 109, 110, 111)]
    random = np.random.default_rng(0)
    rows = [rows[index] for index in random.permutation(len(rows))]
    gray = np.stack([_gray(data / row["path"]) for row in rows])
    groups = group_similar_images(gray, progress=False)
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


def test_equal_images_are_one_group(phantoms):
    image, other = (np.asarray(phantom) for phantom in phantoms[:2])
    assert group_similar_images(np.stack([image, image]), progress=False).tolist() == [0, 0]
    assert group_similar_images(np.stack([other, image, image, image]), progress=False).tolist() == [0, 1, 1, 1]
    black = np.zeros_like(image)
    assert group_similar_images(np.stack([black, black, image]), progress=False).tolist() == [0, 0, 2]
