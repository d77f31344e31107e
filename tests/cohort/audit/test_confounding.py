from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from spinealign.cohort.audit.confounding import Classes, property_findings, series_of_classes, shortcut_probes
from spinealign.cohort.audit.findings import Probe
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import PreprocessingConfig
from spinealign.metrics.shortcut import thumbnail

RANDOM = np.random.default_rng(0)


def cohort(labels: list[str], sources: list[str], series: list[str | None] | None = None) -> Cohort:
    rows = zip(labels, sources, series or [None] * len(labels))
    return Cohort("set", tuple(Sample("", label, source, series=scan) for label, source, scan in rows))


def test_a_class_of_one_series_is_reported():
    labels, sources = ["fracture"] * 4 + ["normal"] * 2, list("abcdef")
    found = series_of_classes(cohort(labels, sources, ["S1", "S1", "S2", "S2", "S1", "S1"]))
    assert [(item.label, item.series, item.own) for item in found] == [("normal", ("S1",), False)]
    found = series_of_classes(cohort(labels, sources, ["S1", "S1", "S2", "S2", "S3", "S3"]))
    assert [(item.label, item.own) for item in found] == [("fracture", True), ("normal", True)]


@pytest.mark.parametrize(
    "series", [["S1", "S2", "S3", "S4"], ["S1", "S1", "S2", None], ["S1", "S1", "S1", "S1"][:4]], ids=str
)
def test_small_unknown_and_shared_series_are_ignored(series):
    found = series_of_classes(cohort(["fracture", "normal"] * 2, list("abcd"), series))
    assert [item.own for item in found if item.own] == []


def test_the_auc_is_that_of_source_means():
    labels = ["fracture" if index % 3 else "normal" for index in range(60)]
    sources = [f"{labels[index]} {index % 17}" for index in range(60)]
    column = RANDOM.normal(size=60)
    (finding,) = property_findings(cohort(labels, sources), {"height": column})
    names = sorted(set(sources))
    means = [column[np.array(sources) == name].mean() for name in names]
    area = roc_auc_score([name.startswith("fracture") for name in names], means)
    assert finding.auc == pytest.approx(max(area, 1 - area))
    assert finding.higher_in == ("fracture" if area > 0.5 else "normal")


def test_many_copies_of_two_sources_raise_no_alarm():
    labels = ["fracture"] * 100 + ["normal"] * 100
    found = property_findings(cohort(labels, labels), {"height": np.repeat([512.0, 224.0], 100)})
    assert (found[0].auc, found[0].higher_in, found[0].alarm) == (1.0, "fracture", False)


def test_a_property_that_predicts_the_class_raises_the_alarm():
    labels = ["fracture"] * 30 + ["normal"] * 30
    sources = [str(index) for index in range(60)]
    values = {
        "height": np.repeat([512.0, 224.0], 30),
        "width": np.full(60, 224.0),
        "brightness": RANDOM.normal(size=60),
    }
    found = {item.name: item for item in property_findings(cohort(labels, sources), values)}
    assert found["height"].alarm
    assert (found["width"].auc, found["width"].higher_in) == (0.5, None)
    assert not found["brightness"].alarm


def loaded(bright: bool, splits: list[str | None]) -> LoadedCohort:
    labels = ["fracture", "normal"] * (len(splits) // 2)
    gray = RANDOM.integers(0, 100, (len(splits), 32, 32))
    gray[::2] += 80 if bright else 0
    samples = tuple(
        Sample("", label, f"s{index}", split=split, name=f"{index}")
        for index, (label, split) in enumerate(zip(labels, splits))
    )
    return LoadedCohort(Cohort("set", samples), gray.astype(np.uint8), PreprocessingConfig())


def probes_of(images: LoadedCohort) -> tuple[Probe, ...]:
    features = np.stack([thumbnail(gray) for gray in images.gray])
    classes = Classes.of(images.cohort, features, label="label")
    return shortcut_probes(classes, classes.folds(seed=0) if len(classes.names) > 1 else None)


def test_the_probe_runs_on_held_out_splits_and_over_sources():
    probes = probes_of(loaded(True, ["train"] * 100 + ["val"] * 40 + ["test"] * 60))
    assert [probe.on for probe in probes] == ["val", "test", "5 folds over sources"]
    assert [probe.sources for probe in probes] == [40, 60, 200]
    assert all(probe.accuracy > 0.9 and probe.alarm for probe in probes)


def test_the_probe_raises_no_alarm_on_noise():
    probes = probes_of(loaded(False, ["train"] * 100 + ["val"] * 100))
    assert not any(probe.alarm for probe in probes)


def test_the_probe_explains_why_it_is_not_possible():
    one = loaded(True, [None] * 4)
    assert "two classes" in probes_of(one.select([0, 2]))[0].note
    given, folds = probes_of(loaded(True, [None, None]))
    assert "no held-out split" in given.note
    assert "fewer than two" in folds.note
    one_class = loaded(True, ["train", "val", "val", "val"])
    assert "all classes" in probes_of(one_class)[0].note


def samples_of(*rows):
    """Return a cohort with one source per image, from rows of class and series."""
    return Cohort("set", tuple(Sample("", label, f"s{n}", series=series) for n, (label, series) in enumerate(rows)))


def test_a_file_without_a_series_does_not_hide_the_others():
    rows = [("fracture", "A")] * 4 + [("normal", "B")] * 4
    found = series_of_classes(samples_of(*rows, ("normal", None)))
    series = {item.label: (item.series, item.known) for item in found}
    assert series == {"fracture": (("A",), 1), "normal": (("B",), 0.8)}


def test_one_series_of_all_classes_is_not_reported():
    assert series_of_classes(samples_of(*[("fracture", "A"), ("normal", "A")] * 4)) == ()


def test_the_probe_raises_the_alarm_for_a_rare_finding():
    images = loaded(True, ["train"] * 400 + ["val"] * 400)
    gray, samples = images.gray[::2].repeat(2, axis=0), list(images.cohort.samples)
    for index in range(0, 800):
        rare = index % 20 == 0
        gray[index] = RANDOM.integers(0, 100, (32, 32)) + 80 * rare
        samples[index] = replace(samples[index], label="fracture" if rare else "normal")
    probe, _ = probes_of(LoadedCohort(Cohort("set", tuple(samples)), gray, images.config))
    assert probe.majority == 0.95
    assert probe.balanced_accuracy > 0.9
    assert probe.alarm


def graded(counts: tuple[int, ...]) -> LoadedCohort:
    """Return images of several grades whose brightness grows with the grade; every tenth has no grade."""
    grades = [str(grade) for grade, count in enumerate(counts) for _ in range(count)]
    gray = np.stack([np.full((32, 32), 40 * int(grade)) + RANDOM.integers(0, 20, (32, 32)) for grade in grades])
    samples = tuple(
        Sample("", None, f"s{index}", name=f"{index}", labels={"grade": None if index % 10 == 0 else grade, "x": "a"})
        for index, grade in enumerate(grades)
    )
    return LoadedCohort(Cohort("set", samples), gray.astype(np.uint8), PreprocessingConfig())


def test_the_probe_judges_several_classes_of_one_label():
    images = graded((40, 30, 30))
    features = np.stack([thumbnail(gray) for gray in images.gray])
    classes = Classes.of(images.cohort, features, label="grade")
    *_, probe = shortcut_probes(classes, classes.folds(seed=0))
    assert (probe.images, probe.classes, probe.of) == (90, ("0", "1", "2"), "grade")
    assert probe.majority == pytest.approx(36 / 90)
    assert probe.balanced_accuracy > 0.75
    assert probe.explained == pytest.approx((probe.balanced_accuracy - 1 / 3) / (2 / 3))


def test_a_property_is_judged_by_the_class_that_it_tells_best():
    images = graded((40, 30, 30))
    middle = [sample.labels["grade"] == "1" for sample in images.cohort]
    values = {"height": np.where(middle, 512.0, 224.0), "width": RANDOM.normal(size=100)}
    height, width = property_findings(images.cohort, values, name="grade")
    assert (height.auc, height.higher_in, height.alarm, height.of) == (1.0, "1", True, "grade")
    assert not width.alarm
    assert property_findings(images.cohort, values, name="x") == ()
