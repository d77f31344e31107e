from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.loading import read_cohort
from spinealign.cohort.splitting import (
    FOLDS,
    find_leaks,
    hold_out_calibration,
    load_cohort,
    resolve_leakage,
    split_cohort,
    split_images,
)
from spinealign.config import PreprocessingConfig
from spinealign.errors import CohortError, LeakageError
from spinealign.metrics.calibration import MIN_SOURCES


def cohort_of(*rows, split=True):
    return Cohort(
        "set", tuple(Sample(f"{i}.png", label, source, split=part) for i, (label, source, part) in enumerate(rows))
    )


def copies(sources_per_class=10, copies=7):
    rows = [
        (label, f"{label} {source}", None)
        for label in ("fracture", "normal")
        for source in range(sources_per_class)
        for _ in range(copies)
    ]
    return cohort_of(*rows)


LEAKING = cohort_of(
    ("fracture", "a", "train"), ("fracture", "a", "train"), ("fracture", "a", "val"), ("fracture", "b", "train"),
    ("normal", "c", "train"), ("normal", "d", "val"),
)  # fmt: skip


def test_copies_of_one_slice_stay_in_one_split():
    cohort = split_cohort(copies(), "source", seed=3)
    assert find_leaks(cohort) == []
    assert cohort.splits == ("train", "val", "test")
    for split in cohort.splits:
        assert cohort.part(split).labels == ("fracture", "normal")
        assert len(cohort.part(split)) % 7 == 0


def test_the_split_is_about_60_20_20_and_follows_the_seed():
    first, again, other = (split_cohort(copies(), "source", seed=seed) for seed in (0, 0, 1))
    assert [len(first.part(split)) for split in ("train", "val", "test")] == [84, 28, 28]
    assert first == again
    assert first != other


def of_patients(cohort, slices=10):
    """Assign each `slices` successive sources to one patient."""
    number = {source: index // slices for index, source in enumerate(cohort.sources)}
    samples = tuple(replace(sample, patient=f"p{number[sample.source]}") for sample in cohort)
    return replace(cohort, samples=samples)


def test_no_split_divides_a_patient():
    whole = of_patients(copies(200, copies=1))
    split = split_cohort(whole, "source", seed=1)
    train = replace(whole, samples=tuple(replace(sample, split="train") for sample in whole))
    for cohort, splits in (
        (split, ("train", "val", "test")),
        (hold_out_calibration(train, seed=1), ("train", "calibration")),
    ):
        assert cohort.splits == splits
        assert len({(sample.patient, sample.split) for sample in cohort}) == 40


def test_a_slice_with_and_without_a_patient_stays_in_one_split():
    cohort = of_patients(copies(20, copies=4), slices=4)
    samples = [replace(sample, patient=None) if index % 4 == 0 else sample for index, sample in enumerate(cohort)]
    split = split_cohort(replace(cohort, samples=tuple(samples)), "source", seed=2)
    assert find_leaks(split) == []
    assert len(set(split.units)) == 10


def test_a_leaking_patient_is_reported_without_a_name():
    samples = [
        Sample(f"{part}.png", "fracture", f"s{part}", split=part, patient="Doe, Jane") for part in ("train", "test")
    ]
    cohort = Cohort("set", (*samples, Sample("x.png", "normal", "x", split="train", patient="Roe, Richard")))
    with pytest.raises(LeakageError, match="the patient of stest in train and test") as caught:
        resolve_leakage(cohort, "error")
    assert "Doe" not in str(caught.value)
    kept = resolve_leakage(cohort, "drop")
    assert [sample.source for sample in kept] == ["stest", "x"]
    assert kept.dropped == 1


def test_two_patients_are_too_few_for_three_splits():
    with pytest.raises(CohortError, match=r"2 distinct source slice\(s\) or patient\(s\).*slices of a patient"):
        split_cohort(of_patients(copies(sources_per_class=20)))


def test_three_sources_are_split_and_two_are_refused():
    assert split_cohort(copies(sources_per_class=3)).splits == ("train", "val", "test")
    with pytest.raises(CohortError, match=r"2 distinct source slice.*at least 3"):
        split_cohort(copies(sources_per_class=2))


def test_the_official_split_is_kept():
    assert split_cohort(LEAKING, "auto") is LEAKING
    assert split_cohort(LEAKING, "official") is LEAKING
    with pytest.raises(CohortError, match="split='source'"):
        split_cohort(copies(), "official")


def test_training_copies_of_held_out_sources_are_dropped():
    cohort = resolve_leakage(LEAKING, "drop")
    assert [(sample.source, sample.split) for sample in cohort if sample.source == "a"] == [("a", "val")]
    assert len(cohort) == 4
    assert "dropped 2 images whose source or patient is also in a later split: a" in cohort.skipped[-1]


def test_leakage_can_be_refused_or_kept():
    with pytest.raises(LeakageError, match="a in train and val") as caught:
        resolve_leakage(LEAKING, "error")
    assert caught.value.pairs == [("a", ("train", "val"))]
    assert resolve_leakage(LEAKING, "keep") is LEAKING


@pytest.mark.parametrize("function", [split_cohort, resolve_leakage])
def test_an_unknown_choice_is_refused(function):
    with pytest.raises(ValueError, match="must be one of"):
        function(LEAKING, "magic")


def official(sources_per_class, *, parts=("train", "val"), copies=2):
    return cohort_of(*(
        (label, f"{split} {label} {source}", split)
        for split in parts
        for label in ("fracture", "normal")
        for source in range(sources_per_class)
        for _ in range(copies)
    ))  # fmt: skip


def test_a_fifth_of_the_training_sources_is_held_out():
    cohort = official(FOLDS * MIN_SOURCES)
    held = hold_out_calibration(cohort, seed=1)
    assert held.splits == ("train", "calibration", "val")
    assert (held.calibration_split, held.selection_split, held.report_split) == (
        "calibration",
        "calibration",
        "val",
    )
    assert find_leaks(held) == []
    part = held.part("calibration")
    assert {label: len({s.source for s in part if s.label == label}) for label in part.labels} == {
        "fracture": MIN_SOURCES, "normal": MIN_SOURCES,
    }  # fmt: skip
    assert held.part("val") == cohort.part("val")
    assert held == hold_out_calibration(cohort, seed=1) != hold_out_calibration(cohort, seed=2)


def test_few_training_sources_are_not_held_out():
    cohort = official(FOLDS * MIN_SOURCES - 1)
    assert hold_out_calibration(cohort) is cohort
    assert (cohort.calibration_split, cohort.selection_split, cohort.report_split) == (None, "val", "val")


def test_a_cohort_with_val_and_test_calibrates_on_val():
    cohort = official(FOLDS * MIN_SOURCES, parts=("train", "val", "test"))
    assert hold_out_calibration(cohort) is cohort
    assert (cohort.calibration_split, cohort.selection_split, cohort.report_split) == ("val", "val", "test")


@pytest.fixture(scope="module")
def unsplit(tmp_path_factory):
    """Five sources per class; each has a rotated copy under another name."""
    folder = tmp_path_factory.mktemp("unsplit") / "set"
    for seed, label in enumerate(["fracture", "normal"] * 5):
        (folder / label).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (40, 40), np.uint8)
        image = Image.fromarray(noise).resize((112, 112), Image.Resampling.BICUBIC)
        image.save(folder / label / f"{seed}.png")
        image.rotate(33, Image.Resampling.BICUBIC).save(folder / label / f"{seed + 10}.png")
    return folder


def test_without_split_a_cohort_is_only_indexed(unsplit, monkeypatch):
    monkeypatch.setattr("spinealign.cohort.rendering.read_slice", lambda content: pytest.fail("an image was read"))
    cohort = load_cohort(unsplit)
    assert cohort.splits == ()
    assert len(cohort.sources) == 20


def test_a_loaded_cohort_has_no_copies_in_two_splits(unsplit):
    cohort = load_cohort(unsplit, split="source", seed=3, progress=False)
    assert len(list(cohort)) == 20
    assert len(cohort.sources) == 10
    assert cohort.splits == ("train", "val", "test")
    assert find_leaks(cohort) == []


def test_a_cohort_is_loaded_with_the_splits_of_a_training(unsplit):
    read = read_cohort(load_cohort(unsplit), PreprocessingConfig(image_size=32), progress=False)
    trained_on = split_images(read, split="auto", on_leakage="drop", seed=3, progress=False).cohort
    cohort = load_cohort(unsplit, split="auto", seed=3, progress=False)
    assert cohort.samples == trained_on.samples
    assert (cohort.split_method, cohort.split_seed) == ("source", 3)


def test_an_unknown_method_is_refused_before_reading(unsplit, monkeypatch):
    monkeypatch.setattr("spinealign.cohort.rendering.read_slice", lambda content: pytest.fail("an image was read"))
    with pytest.raises(ValueError, match="must be one of"):
        load_cohort(unsplit, split="magic")


def labeled(*rows):
    """Return samples of one source each, with a column for each of `grade` and `arch`."""
    columns = (dict(zip(("grade", "arch"), row)) for row in rows)
    return Cohort("set", tuple(Sample("", None, f"s{n}", name=f"{n}", labels=row) for n, row in enumerate(columns)))


def test_frequent_combinations_of_labels_are_kept_in_proportion():
    cohort = split_cohort(labeled(*[("0", "no")] * 50, *[("1", "yes")] * 25, *[("2", None)] * 2), "source", seed=1)
    for split, share in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
        counts = cohort.part(split).counts("grade")
        assert (counts["0"], counts["1"]) == pytest.approx((50 * share, 25 * share), abs=1)


def test_a_rare_grade_does_not_prevent_a_split():
    assert split_cohort(labeled(*[("0", "no")] * 9, *[("1", "yes")] * 9, ("2", "no")), "source").splits
    with pytest.raises(CohortError, match="class yes of label arch has 2 distinct source"):
        split_cohort(labeled(*[("0", "no")] * 9, *[("1", "yes")] * 2, ("1", "no")), "source")


def test_images_are_held_out_for_the_label_that_has_enough_of_them():
    many = 2 * FOLDS * MIN_SOURCES
    rows = labeled(*[("0", "no")] * many, *[("1", "no")] * many, *[("1", "yes")] * 3)
    train = replace(rows, samples=tuple(replace(sample, split="train") for sample in rows))
    assert hold_out_calibration(train).part("calibration").counts("grade") == pytest.approx({"0": 40, "1": 40}, abs=3)
