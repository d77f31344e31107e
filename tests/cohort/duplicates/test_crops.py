from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from spinealign.cohort.duplicates.crops import join_crops
from spinealign.imaging.preprocessing import render
from spinealign.phantoms.axial_neck import draw_phantom

SIDE = 224


@pytest.fixture(scope="module")
def phantoms() -> list[Image.Image]:
    return [Image.fromarray(render(draw_phantom(seed, fractured=False, size=SIDE).slice)) for seed in range(8)]


def cropped(image: Image.Image, left: int, top: int, side: int = 180) -> Image.Image:
    return image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def placed(image: Image.Image, left: int, top: int, side: int) -> Image.Image:
    canvas = Image.new("L", (side, side))
    canvas.paste(image, (left, top))
    return canvas.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "cropped in the middle": lambda image: cropped(image, 22, 22),
    "cropped in a corner": lambda image: cropped(image, 40, 5),
    "shifted": lambda image: placed(image, 20, -14, SIDE),
    "on a larger canvas": lambda image: placed(image, 10, 40, 280),
}


def groups(images: list[Image.Image]) -> list[int]:
    gray = np.stack([np.asarray(image) for image in images])
    return join_crops(gray, np.arange(len(gray)), progress=False).tolist()


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_grouped_with_its_phantom_and_no_other(phantoms, kind):
    assert groups([*phantoms, *map(COPIES[kind], phantoms)]) == list(range(8)) * 2


def test_different_phantoms_are_not_grouped(phantoms):
    assert groups(phantoms) == list(range(8))


@pytest.mark.parametrize("count", [1, 2])
def test_images_without_texture_are_not_grouped(count):
    assert groups([Image.new("L", (SIDE, SIDE), 80)] * count) == list(range(count))
