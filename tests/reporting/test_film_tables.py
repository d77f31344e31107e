from __future__ import annotations

import pytest
from PIL import Image

from spinealign.alignment.measuring import AASCE, ENDPLATE
from spinealign.evaluation.films import cross_validated_agreement, summarize_films
from spinealign.evaluation.measured_film import MeasuredFilm
from spinealign.reporting.film_figures import plot_agreements
from spinealign.reporting.film_tables import format_agreements, large_errors_table


def film(number, error, **values):
    angles = dict.fromkeys((*ENDPLATE, *AASCE), 20.0 + number)
    measured = {name: angle + error for name, angle in angles.items()}
    return MeasuredFilm(f"{number}.png", "test", str(number), 17, 0.8, measured, measured, angles, 0.1, **values)


@pytest.fixture(scope="module")
def evaluation():
    rows = [film(number, number % 3, clean=number > 1) for number in range(8)]
    return summarize_films([*rows, film(9, 16.0, offset=-1)], "films")


def test_each_set_of_films_is_a_column(evaluation):
    crossed = cross_validated_agreement(evaluation.films, "films")
    lines = format_agreements([*evaluation.agreements, crossed], ["9.png"]).splitlines()
    for title in ("official, 9 films", "clean, 7 films", "cross-validation, 9 films"):
        assert title in lines[1]
    errors = next(line for line in lines if line.startswith("largest angle: mean error"))
    assert errors.count("\N{DEGREE SIGN} (") == 3
    assert errors.split()[4] == "2.56\N{DEGREE SIGN}", "the mean of 0, 1, 2, 0, 1, 2, 0, 1 and 16"
    assert "9.png" in lines[-1]


def test_films_with_large_errors_can_be_listed_without_names(evaluation):
    text = large_errors_table(evaluation.official).text()
    assert "9.png" not in text
    assert "chain 1 level too high" in text


def test_the_figure_has_a_row_for_each_set(evaluation, tmp_path):
    plot_agreements(evaluation.agreements, tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as figure:
        assert figure.size == (1300, 2 * 520)
