from __future__ import annotations

from dataclasses import replace

import pytest

from spinealign.cohort.cohort import Cohort, Sample, balanced_weights
from spinealign.cohort.splitting import FOLDS, find_leaks, hold_out_calibration, resolve_leakage, split_cohort
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


STRADDLING = cohort_of(
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


def test_the_cut_is_about_60_20_20_and_follows_the_seed():
    first, again, other = (split_cohort(copies(), "source", seed=seed) for seed in (0, 0, 1))
    assert [len(first.part(split)) for split in ("train", "val", "test")] == [84, 28, 28]
    assert first == again
    assert first != other


def of_patients(cohort, slices=10):
    """Say that so many slices in a row are of one patient."""
    number = {source: place // slices for place, source in enumerate(cohort.sources)}
    samples = tuple(replace(sample, patient=f"p{number[sample.source]}") for sample in cohort)
    return replace(cohort, samples=samples)


def test_no_cut_divides_a_patient():
    whole = of_patients(copies(200, copies=1))
    cut = split_cohort(whole, "source", seed=1)
    train = replace(whole, samples=tuple(replace(sample, split="train") for sample in whole))
    for cohort, splits in (
        (cut, ("train", "val", "test")),
        (hold_out_calibration(train, seed=1), ("train", "calibration")),
    ):
        assert cohort.splits == splits
        assert len({(sample.patient, sample.split) for sample in cohort}) == 40


def test_a_slice_with_and_without_its_patient_stays_whole():
    cohort = of_patients(copies(20, copies=4), slices=4)
    samples = [replace(sample, patient=None) if place % 4 == 0 else sample for place, sample in enumerate(cohort)]
    cut = split_cohort(replace(cohort, samples=tuple(samples)), "source", seed=2)
    assert find_leaks(cut) == []
    assert len(set(cut.units)) == 10


def test_a_patient_in_two_splits_is_a_leak_that_names_nobody():
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


def test_slices_of_two_patients_are_no_three_parts():
    with pytest.raises(CohortError, match=r"2 distinct source slice\(s\) or patient\(s\).*slices of a patient"):
        split_cohort(of_patients(copies(sources_per_class=20)))


def test_few_sources_are_cut_in_three_and_fewer_are_refused():
    assert split_cohort(copies(sources_per_class=3)).splits == ("train", "val", "test")
    with pytest.raises(CohortError, match=r"2 distinct source slice.*needs three"):
        split_cohort(copies(sources_per_class=2))


def test_a_split_that_the_folder_brings_is_kept():
    assert split_cohort(STRADDLING, "auto") is STRADDLING
    assert split_cohort(STRADDLING, "official") is STRADDLING
    with pytest.raises(CohortError, match="split='source'"):
        split_cohort(copies(), "official")


def test_copies_in_train_of_held_out_sources_are_dropped_and_named():
    cohort = resolve_leakage(STRADDLING, "drop")
    assert [(sample.source, sample.split) for sample in cohort if sample.source == "a"] == [("a", "val")]
    assert len(cohort) == 4
    assert "dropped 2 images of what stands in a later split too: a" in cohort.skipped[-1]


def test_leakage_can_be_refused_with_the_pairs_or_kept():
    with pytest.raises(LeakageError, match="a in train and val") as caught:
        resolve_leakage(STRADDLING, "error")
    assert caught.value.pairs == [("a", ("train", "val"))]
    assert resolve_leakage(STRADDLING, "keep") is STRADDLING


@pytest.mark.parametrize("function", [split_cohort, resolve_leakage])
def test_an_unknown_choice_is_refused(function):
    with pytest.raises(ValueError, match="must be one of"):
        function(STRADDLING, "magic")


def test_weights_make_classes_count_alike():
    labels = ["normal"] * 30 + ["fracture"] * 10
    weights = balanced_weights(labels)
    assert sum(weights) == pytest.approx(40)
    assert sum(weights[:30]) == pytest.approx(sum(weights[30:]))


def official(sources_per_class, *, parts=("train", "val"), copies=2):
    return cohort_of(*(
        (label, f"{split} {label} {source}", split)
        for split in parts
        for label in ("fracture", "normal")
        for source in range(sources_per_class)
        for _ in range(copies)
    ))  # fmt: skip


def test_a_fifth_of_the_training_sources_calibrates_where_the_collection_brings_no_part_for_it():
    cohort = official(FOLDS * MIN_SOURCES)
    cut = hold_out_calibration(cohort, seed=1)
    assert cut.splits == ("train", "calibration", "val")
    assert (cut.calibration_split, cut.selection_split, cut.report_split) == ("calibration", "calibration", "val")
    assert find_leaks(cut) == []
    part = cut.part("calibration")
    assert {label: len({s.source for s in part if s.label == label}) for label in part.labels} == {
        "fracture": MIN_SOURCES, "normal": MIN_SOURCES,
    }  # fmt: skip
    assert cut.part("val") == cohort.part("val")
    assert cut == hold_out_calibration(cohort, seed=1) != hold_out_calibration(cohort, seed=2)


def test_too_few_training_sources_are_left_to_the_training():
    cohort = official(FOLDS * MIN_SOURCES - 1)
    assert hold_out_calibration(cohort) is cohort
    assert (cohort.calibration_split, cohort.selection_split, cohort.report_split) == (None, "val", "val")


def test_a_collection_with_val_and_test_calibrates_on_val():
    cohort = official(FOLDS * MIN_SOURCES, parts=("train", "val", "test"))
    assert hold_out_calibration(cohort) is cohort
    assert (cohort.calibration_split, cohort.selection_split, cohort.report_split) == ("val", "val", "test")
