from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinealign.cohort.audit.findings import Audit, ClassSeries, PartCount, Probe, PropertyFinding, Straddling
from spinealign.cohort.audit.verdict import verdict_of
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import PreprocessingConfig


@pytest.fixture
def clean():
    return Audit(
        name="set",
        images=40,
        positive="fracture",
        parts=(PartCount("train", "fracture", 20, 20, 20.0), PartCount("val", "normal", 20, 20, 20.0)),
        sources=40,
        effective_sources=40.0,
        series=None,
        patients=None,
        copies=(1, 1.0, 1),
        identical=0,
        look_groups=0,
        straddling=(),
        contradicting=(),
        class_series=(),
        properties=(),
        probes=(),
        unreadable=(),
        notes=(),
        pictures=LoadedCohort(Cohort("set", ()), np.empty((0, 8, 8), np.uint8), PreprocessingConfig()),
    )


def test_a_clean_collection_is_not_certified(clean):
    (sentence,) = verdict_of(clean)
    assert "is in two splits" in sentence
    assert "does not prove" in sentence


def test_unknown_patients_are_said_and_not_called_free_of_leaks(clean):
    samples = (Sample("a.png", "fracture", "a", patient="p"), Sample("b.png", "normal", "b"))
    cohort = Cohort("set", samples)
    no_alarm, unknown = verdict_of(replace(clean, pictures=replace(clean.pictures, cohort=cohort)))
    assert "no known source or series is in two splits" in no_alarm
    assert unknown == "The patients of 1 of 2 images are not known, so images of one patient may be in two splits."
    known = replace(clean, patients=1, pictures=replace(clean.pictures, cohort=Cohort("set", samples[:1])))
    (sentence,) = verdict_of(known)
    assert "no known source, series or patient is in two splits" in sentence


def test_the_probe_alarm_comes_first(clean):
    probe = Probe("val", accuracy=0.9775, majority=0.5, images=400, sources=20, interval=(0.81, 1.0), alarm=True)
    sentences = verdict_of(replace(clean, probes=(probe,), images=80))
    assert sentences[0] == (
        "A linear model on 16x16 thumbnails reaches 97.75 % on val: accuracy on this split does not show that a model "
        "recognizes fractures."
    )
    assert "copies of 40 source slices" in sentences[1]


def test_a_probe_at_chance_is_not_mentioned(clean):
    assert len(verdict_of(replace(clean, probes=(Probe("val", accuracy=0.5),)))) == 1


def test_leaks_are_counted_and_not_named(clean):
    leaks = tuple(
        Straddling("source", f"s{number}", {"train": 2, "val": 1}, by_looks=number == 0) for number in range(5)
    )
    (sentence,) = verdict_of(replace(clean, straddling=leaks))
    assert sentence.startswith("5 source slices are in more than one split, 1 of them found only by visual similarity")
    assert sentence.endswith(": 10 images in train, 5 images in val.")
    assert "s2" not in sentence


def test_confounding_is_spelled_out(clean):
    findings = replace(
        clean,
        class_series=(ClassSeries("normal", ("B10",), own=True),),
        properties=(PropertyFinding("height", "pixels", {}, 0.93, "normal", alarm=True),),
    )
    series, properties = verdict_of(findings)
    assert series.startswith("Every image of the class normal is from one series, which no other class has")
    assert "B10" not in series
    assert "height (AUC 0.93, higher in normal)" in properties
