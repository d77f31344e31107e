"""Groups of films by their names, and folds over them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cohort.landmarks.conftest import fractions
from spinealign.cohort.landmarks.film import Film
from spinealign.cohort.landmarks.grouping import film_folds, name_parts


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("sunhl-1th-10-Jan-2017-239 A AP.jpg", "239"),
        ("sunhl-1th-20-Jul-2016-coronal12.jpg", "coronal12"),
        ("scan 2016-07-20_0012b.dcm", "0012"),
    ],
)
def test_the_number_after_the_date_is_found(name: str, number: str) -> None:
    parts = name_parts(name)

    assert parts
    assert parts.number == number


@pytest.mark.parametrize("name", ["IMG_0012.png", "10-Jan-2017.jpg", "spine.webp"])
def test_other_names_have_no_number(name: str) -> None:
    assert name_parts(name) is None


def test_no_group_is_divided_between_folds() -> None:
    shapes = [fractions([-bend / 2, bend / 2]) for bend in (5, 20, 50)]
    films = [
        Film(Path(f"{number}.png"), "", shapes[number % 3], np.ones(17, bool), (768, 300), "train", str(number // 4))
        for number in range(48)
    ]
    folds = film_folds(films, folds=3, seed=1)

    assert np.bincount(folds).tolist() == [16, 16, 16]
    assert all(len(set(folds[start : start + 4])) == 1 for start in range(0, 48, 4))
    assert (film_folds(films, folds=3, seed=1) == folds).all()
    assert (film_folds(films, folds=3, seed=2) != folds).any()
