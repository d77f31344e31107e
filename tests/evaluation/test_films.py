from __future__ import annotations

import json

import numpy as np
import pytest

from spinealign.alignment.measuring import AASCE, ENDPLATE
from spinealign.checkpoint.vertebra_settings import VertebraSettings
from spinealign.cohort.landmarks.loading import load_films
from spinealign.evaluation.films import cross_validated_agreement, explain_error, summarize_films
from spinealign.evaluation.measured_film import MeasuredFilm
from spinealign.imaging.quality import quality_reasons
from spinealign.metrics.conformal import IntervalRule
from spinealign.serialization import rebuild

RULES = {"aasce_1": IntervalRule(0.9, base=4.0, slope=1.0, images=100)}


def film(number, error=0.0, *, reference=30.0, disagreement=1.0, **values):
    angles = dict.fromkeys((*ENDPLATE, *AASCE), reference)
    measured = {name: angle + error for name, angle in angles.items()}
    return MeasuredFilm(
        file=f"{number}.png",
        split="test",
        group=f"group {number // 2}",
        count=17,
        peak=0.8,
        measures=measured,
        second={name: angle + disagreement for name, angle in measured.items()},
        reference=angles,
        **{"landmark_error": 0.1, **values},
    )


@pytest.fixture(scope="module")
def films():
    errors = np.random.default_rng(0).normal(scale=3, size=60)
    references = np.linspace(5, 60, 60)
    return [film(number, error, reference=float(reference), clean=number >= 8)
            for number, (error, reference) in enumerate(zip(errors, references))]  # fmt: skip


def test_official_and_clean_films_are_scored_apart(films):
    evaluation = summarize_films(films, "films", rules=RULES)
    official, clean = evaluation.agreements
    assert (official.films, official.groups, clean.films, clean.groups) == (60, 30, 52, 26)
    assert official.title == "official, 60 films"
    errors = [abs(item.error("aasce_1")) for item in films]
    assert official.measures["cobb_main"]["mean_error"].value == pytest.approx(np.mean(errors))
    assert clean.measures["aasce_1"]["mean_error"].value == pytest.approx(np.mean(errors[8:]))
    assert official.scores["coverage"].value == pytest.approx(np.mean(np.array(errors) <= 5))
    assert official.scores["interval_width"].value == pytest.approx(10)


def test_films_without_twins_have_a_single_part(films):
    evaluation = summarize_films(films[8:], "films")
    assert len(evaluation.agreements) == 1
    assert "coverage" not in evaluation.official.scores, "the model has no intervals"


def test_rejected_and_shifted_films_are_scored_and_counted(films):
    wrong = film(99, 20.0, accepted=False, offset=1, clean=True)
    evaluation = summarize_films([*films, wrong], "films")
    assert evaluation.official.rejected == 1
    assert evaluation.official.scores["shifted"].value == pytest.approx(1 / 61)
    assert evaluation.large_error_files == ["99.png"]
    assert evaluation.official.large_errors[0].signs == explain_error(wrong)
    assert explain_error(wrong) == "not accepted by the model; chain 1 level too low"


def test_a_film_without_a_chain_is_scored_as_0_degrees():
    lost = film(1, -30.0, landmark_error=None)
    evaluation = summarize_films([lost, film(2)], "films")
    assert evaluation.official.measures["aasce_1"]["mean_error"].value == 15
    assert evaluation.official.scores["landmark_error"].value == pytest.approx(0.1)
    assert explain_error(lost) == "no chain"


def test_cross_validated_intervals_use_rules_of_other_folds():
    rng = np.random.default_rng(3)
    folds = np.arange(240) % 3
    rows = [film(2 * number, float(rng.normal(scale=3)), fold=int(fold)) for number, fold in enumerate(folds)]
    assert cross_validated_agreement(rows, "films").scores["coverage"].value == pytest.approx(0.9, abs=0.03)
    rows = [film(2 * number, float(rng.normal(scale=9 if fold == 0 else 3)), fold=int(fold))
            for number, fold in enumerate(folds)]  # fmt: skip
    assert cross_validated_agreement(rows, "films").scores["coverage"].value < 0.88
    few = cross_validated_agreement([film(number, fold=number % 2) for number in range(6)], "films")
    assert "coverage" not in few.scores


def test_an_evaluation_is_restored_from_its_json(films):
    evaluation = summarize_films(films, "films", rules=RULES)
    assert rebuild(type(evaluation), json.loads(json.dumps(evaluation.to_dict()))) == evaluation


@pytest.mark.data
@pytest.mark.slow
def test_real_films_have_the_quality_that_models_demand(data):
    limits = VertebraSettings().quality
    films = load_films(data / "scoliosis_xray").part("test").films[::4]
    reasons = [quality_reasons(np.rint(film.read().pixels).astype(np.uint8), limits) for film in films]
    assert sum(map(bool, reasons)) <= 0.02 * len(films), reasons
