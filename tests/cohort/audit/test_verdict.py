from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinealign.cohort.audit.findings import Audit, ClassSeries, PartCount, Probe, PropertyFinding, Straddling, Suspect
from spinealign.cohort.audit.verdict import verdict_of
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import PreprocessingConfig


@pytest.fixture
def clean():
    return Audit(
        name="set",
        images=40,
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


SKEWED = Probe(
    "5 folds over sources", 0.9, 0.7, 0.9, images=80, sources=40, interval=(0.8, 0.95), balanced_interval=(0.62, 0.78),
    alarm=True, classes=("large", "small"),
)  # fmt: skip


def test_the_probe_alarm_comes_first(clean):
    probe = Probe(
        "val", 0.82, 0.8, 0.5, images=400, sources=20, interval=(0.78, 0.86), balanced_interval=(0.76, 0.85),
        alarm=True, classes=("large", "small"),
    )  # fmt: skip
    sentences = verdict_of(replace(clean, probes=(probe,), images=80))
    assert sentences[0] == (
        "A linear model on 16x16 thumbnails tells large from small with 82.00 % accuracy on val (95 % interval 78% to "
        "86%; 50% by chance): coarse appearance explains 60% of the way from chance to perfect. It may be a "
        "shortcut, or the label itself if that is visible at this size. A model must exceed 86% to show that it sees "
        "more."
    )
    assert "copies of 40 source slices" in sentences[1]


def test_a_rare_class_is_compared_by_balanced_accuracy(clean):
    sentence = verdict_of(replace(clean, probes=(SKEWED,)))[0]
    assert "70.00 % balanced accuracy" in sentence
    assert "explains 40%" in sentence
    assert "must exceed 78%" in sentence


def test_several_labels_are_told_apart(clean):
    probes = (replace(SKEWED, of="grade", classes=("1", "2", "3")), replace(SKEWED, of="bulging"))
    first, second, *_ = verdict_of(replace(clean, probes=probes))
    assert "tells the label grade (1, 2, 3) with" in first
    assert "tells the label bulging (large, small) with" in second


def test_suspects_are_counted(clean):
    suspects = (Suspect("a.png", "label", "large", "small", 0.9), Suspect("b.png", "label", "small", "large", 0.8))
    said = verdict_of(replace(clean, wrong_labels=suspects, off_topic=(Suspect("c.png", distance=3.0),)))
    assert any(line.startswith("2 source slices may have a wrong label") for line in said)
    assert any(line.startswith("1 image may be off topic") for line in said)
    assert not any("png" in line for line in said)


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
