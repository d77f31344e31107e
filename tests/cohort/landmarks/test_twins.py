"""Search for films that show the same radiograph."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spinealign.cohort.landmarks.film import Film
from spinealign.cohort.landmarks.grouping import join_groups
from spinealign.cohort.landmarks.loading import load_films
from spinealign.cohort.landmarks.twins import find_twins
from spinealign.phantoms.frontal_spine import draw_frontal_spine


def film(name: str, pixels: np.ndarray, points: np.ndarray) -> Film:
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return Film(
        Path(name),
        name,
        points / pixels.shape[::-1],
        np.ones(len(points), bool),
        pixels.shape,
        "train",
        group=name,
        content=stream.getvalue(),
    )


@pytest.fixture(scope="module")
def films() -> list[Film]:
    """A film, the same one cropped, rescaled and labeled one vertebra lower, and two others of the same shape."""
    drawn = [draw_frontal_spine([-15, 20, -5], seed=seed, height=384) for seed in range(3)]
    first = drawn[0]
    crop = first.slice.pixels[20:, 10:-5]
    height, width = crop.shape
    small = np.asarray(Image.fromarray(crop).resize((int(width * 0.8), int(height * 0.8)), Image.Resampling.BOX))
    noise = np.random.default_rng(0).normal(scale=0.7, size=(16, 4, 2))
    lower = (first.corners[1:] - [10, 20]) * 0.8 + noise
    others = [
        film(f"x-02-Jan-2017-{number} A.png", each.slice.pixels, each.corners) for number, each in enumerate(drawn)
    ]
    return [*others, film("x-03-Feb-2017-9 B.png", np.clip(small * 1.1 - 10, 0, 255), lower)]


def test_a_cropped_and_rescaled_export_is_found(films: list[Film]) -> None:
    same = [twin for twin in find_twins(films) if twin.kind == "same"]

    assert [(twin.one, twin.other) for twin in same] == [(0, 3)]
    assert [each.group for each in join_groups(films, [(0, 3)])] == [films[place].group for place in (0, 1, 2, 0)]


def test_the_same_name_of_another_date_is_suspected(films: list[Film]) -> None:
    renamed = film("x-03-Feb-2017-0 A.png", films[1].read().pixels[::-1], films[1].points)
    (twin,) = [twin for twin in find_twins([films[0], renamed]) if twin.kind == "named"]

    assert (twin.one, twin.other) == (0, 1)


def test_a_collection_without_vertebrae_has_no_twins(films: list[Film]) -> None:
    empty = film("a.png", films[0].read().pixels, np.zeros((0, 4, 2)))

    assert find_twins([empty, empty]) == ()


@pytest.mark.data
@pytest.mark.slow
def test_the_exports_of_the_test_films_are_found(data: Path) -> None:
    cohort = load_films(data / "scoliosis_xray")
    chosen = [each for each in cohort if each.group.startswith(("24", "239", "300", "307", "308"))]
    twins = [twin for twin in find_twins(chosen) if twin.kind == "same"]
    pairs = {(chosen[twin.one].name, chosen[twin.other].name) for twin in twins}
    renamed = {(one, other) for one, other in pairs if one.replace("28-Feb", "10-Jan") == other}

    assert len(renamed) == 15
    assert {frozenset(pair) for pair in pairs - renamed} == {
        frozenset(f"sunhl-1th-28-Feb-2017-300 {letter} AP.jpg" for letter in "DE")
    }
