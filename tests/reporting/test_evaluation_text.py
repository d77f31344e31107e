from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import evaluate_finding, evaluate_kind

from spinealign.labels import binary_target
from spinealign.metrics.evidence import Evidence
from spinealign.metrics.folds import CrossValidation
from spinealign.metrics.registry import format_interval, score_title
from spinealign.reporting.evaluation_tables import describe_errors
from spinealign.reporting.evaluation_text import format_cross_validation, format_evaluations, format_summary

POSITIVE = np.arange(400) < 200
SOURCES = [f"slice {number // 20}" for number in range(400)]
PROBABILITY = np.where(POSITIVE, 0.9, 0.1)
PROBABILITY[:4] = 0.2
RIDGE = POSITIVE ^ (np.arange(400) % 100 < 9)


@pytest.fixture(scope="module")
def measured():
    evidence = Evidence("cervical fracture", "val", SOURCES, ridge=[RIDGE.astype(int)])
    return evaluate_finding(POSITIVE, PROBABILITY, evidence=evidence, draws=100)


def test_one_image_is_counted_in_the_singular():
    single = evaluate_finding(POSITIVE[:1], PROBABILITY[:1], evidence=Evidence("set", "val", SOURCES[:1]), draws=10)
    assert ": 1 image of 1 distinct source" in format_evaluations([single]).splitlines()[0]


def test_every_score_has_both_intervals_and_the_baseline(measured):
    lines = format_evaluations([measured]).splitlines()
    assert "400 images of 20 distinct sources" in lines[0]
    header = lines[1]
    assert [header.index(title) for title in ("model", "95 % over sources", "naive 95 %", "thumbnail ridge")]
    accuracy = next(line for line in lines if line.startswith("accuracy"))
    for value in ("99.00 %", "91.00 %"):
        assert value in accuracy
    for intervals in (measured.intervals, measured.naive_intervals, measured.thumbnail_ridge.intervals):
        assert format_interval("accuracy", intervals["accuracy"]) in accuracy
    assert all(any(line.startswith(title) for line in lines) for title in map(score_title, measured.scores))


def test_warnings_are_at_the_end_and_lines_are_short(measured):
    lines = format_evaluations([measured, measured]).splitlines()
    assert [line.startswith("! A linear model") for line in lines[-2:]] == [True, True]
    assert max(len(line) for line in lines if not line.startswith("!")) <= 120


def test_scores_of_accepted_images_follow(measured):
    accepted = replace(measured, split="val, accepted")
    text = format_evaluations([replace(measured, accepted=accepted)])
    assert text.index("cervical fracture (val):") < text.index("cervical fracture (val, accepted):")


def test_a_missing_baseline_is_a_dash():
    evidence = Evidence("set", "val", SOURCES)
    table = format_evaluations([evaluate_finding(POSITIVE, PROBABILITY, evidence=evidence, draws=50)])
    accuracy = next(line for line in table.splitlines() if line.startswith("accuracy"))
    assert "thumbnail ridge" in table
    assert accuracy.split()[-2:] == ["-", "-"]


def test_patients_are_named_if_intervals_are_over_them():
    patients = [f"patient {number // 40}" for number in range(400)]
    evidence = Evidence("set", "val", SOURCES, patients=patients)
    table = format_evaluations([evaluate_finding(POSITIVE, PROBABILITY, evidence=evidence, threshold=0.3, draws=50)])
    assert "20 distinct sources and 10 patients; positive from a probability of 0.3" in table
    assert "95 % over patients" in table


def test_the_summary_has_one_line_per_evaluation(measured):
    header, row, warning = format_summary([measured]).splitlines()
    for title in ("sources", "95 % over sources", "thumbnail ridge"):
        assert title in header
    for cell in ("99.00 %", "  20 ", format_interval("accuracy", measured.intervals["accuracy"]), "91.00 %"):
        assert cell in row
    assert "reaches 91.00 %" in warning


def test_a_cross_validation_shows_folds_spread_and_pool():
    fold = np.arange(400) // 20 % 2
    evidence = Evidence("set", "all", SOURCES, ridge=[RIDGE.astype(int)])
    both = np.stack([1 - PROBABILITY, PROBABILITY], axis=1)
    target = binary_target("normal", "fracture")
    result = CrossValidation.of([POSITIVE.astype(int)], [both], target=target, fold=fold, evidence=evidence)
    table = format_cross_validation(result)
    assert table.count("\nset (fold ") + table.startswith("set (fold") == 2
    assert "accuracy over 2 folds: 99.00 %, standard deviation 1.41 %" in table
    assert "set (2 folds): 400 images of 20 distinct sources" in table


def test_errors_of_each_kind_are_a_sentence():
    _, grades = evaluate_kind("ordinal")
    wrong = sum(map(sum, grades.matrix)) - sum(grades.matrix[code][code] for code in range(5))
    assert describe_errors(grades).startswith(f"{wrong} of 40 images were classified wrongly, most often ")
    perfect = replace(grades, matrix=tuple(tuple(8 * (row == column) for column in range(5)) for row in range(5)))
    assert describe_errors(perfect) == "0 of 40 images were classified wrongly."
    assert "images with fracture were missed" in describe_errors(evaluate_kind("binary")[1])


def test_the_summary_of_several_labels_has_one_line_for_each():
    _, mixed = evaluate_kind("mixed")
    lines = format_summary([mixed]).splitlines()
    assert [line.split("  ")[0] for line in lines[1:5]] == [
        "lumbar set (test), mean of 3 labels",
        "lumbar set (test), pfirrmann",
        "lumbar set (test), finding 0",
        "lumbar set (test), type",
    ]
    assert "quadratic kappa" in lines[0]
