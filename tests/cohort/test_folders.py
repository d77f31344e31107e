from __future__ import annotations

import zipfile

import numpy as np
import pytest
from PIL import Image

from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.options import CollectionOptions
from spinealign.errors import CohortError


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), len(name), np.uint8)).save(path, format="PNG")
    return root


def rows(cohort):
    return {(sample.split, sample.label, sample.name.rsplit("/", 1)[-1]) for sample in cohort}


def test_a_folder_around_the_splits_is_entered(tmp_path):
    names = ("train/a/1.png", "train/b/2.png", "val/a/3.png", "val/b/4.png")
    expected = rows(index_cohort(write(tmp_path / "plain", *names)))
    for outer in ("set/", "deep/set/"):
        cohort = index_cohort(write(tmp_path / outer[:4], *(outer + name for name in names)))
        assert rows(cohort) == expected
        assert f"read {outer}, the only folder with images" in cohort.skipped
    classes = index_cohort(write(tmp_path / "classes", "set/mild/1.png", "set/severe/2.png"))
    assert classes.labels == ("mild", "severe")


def test_one_class_is_not_taken_for_a_folder_around_classes(tmp_path):
    assert index_cohort(write(tmp_path / "one", "fracture/p1/1.png", "fracture/p2/2.png")).labels == ("fracture",)
    assert index_cohort(write(tmp_path / "other", "scoliosis/1.png", "scoliosis/2.png")).labels == ("scoliosis",)


def test_splits_below_the_classes_are_recognized(tmp_path):
    cohort = index_cohort(write(tmp_path, "a/train/1.png", "a/test/2.png", "b/train/3.png", "b/test/4.png"))
    assert rows(cohort) == {
        ("train", "a", "1.png"),
        ("test", "a", "2.png"),
        ("train", "b", "3.png"),
        ("test", "b", "4.png"),
    }


def test_an_unknown_class_of_the_test_split_is_ignored(tmp_path):
    cohort = index_cohort(
        write(tmp_path, "train/a/1.png", "train/b/2.png", "val/a/3.png", "val/b/4.png", "test/unknown/5.png")
    )
    assert (len(cohort), cohort.splits) == (4, ("train", "val"))
    assert "test/unknown ignored, because train has no such class (1 image)" in cohort.skipped


def test_folders_below_the_classes_are_patients(tmp_path):
    names = ("a/P1/1.png", "a/P2/s1/1.png", "a/P2/s2/1.png", "b/P3/1.png", "b/P1/2.png")
    cohort = index_cohort(write(tmp_path, *names))
    assert {sample.name: sample.patient for sample in cohort} == {name: name.split("/")[1] for name in names}
    assert any("3 folders are taken as patients" in line for line in cohort.skipped)
    assert cohort.unknown_patients == ""
    without = index_cohort(tmp_path, CollectionOptions(patient_pattern=""))
    assert without.unknown_patients.startswith("The patients are not known")


@pytest.mark.parametrize("outer", ["", "train/", "set/"])
def test_classes_below_the_patients_are_recognized(tmp_path, outer):
    names = ("P1/fracture/1.png", "P1/normal/2.png", "P2/s1/fracture/3.png", "P3/Normal/4.png")
    cohort = index_cohort(write(tmp_path / "data", *(outer + name for name in names)))
    assert [(sample.patient, sample.label) for sample in cohort] == [
        ("P1", "fracture"), ("P1", "normal"), ("P2", "fracture"), ("P3", "normal"),
    ]  # fmt: skip
    assert "each last folder is taken as the class" in cohort.skipped


def test_numbered_patients_below_the_classes_stay_patients(tmp_path):
    cohort = index_cohort(write(tmp_path, "mild/0/1.png", "mild/1/2.png", "severe/0/3.png", "severe/1/4.png"))
    assert cohort.labels == ("mild", "severe")


def test_a_mask_beside_its_image_is_passed_over(tmp_path):
    cohort = index_cohort(write(tmp_path, "a/1.png", "a/1_mask.png", "a/1_mask_1.png", "a/2_mask.png", "b/3 seg.png"))
    assert [sample.name for sample in cohort] == ["a/1.png", "a/2_mask.png", "b/3 seg.png"]
    assert "2 of 5 images passed over: 2 masks of an image beside it (a/1_mask.png)" in cohort.skipped


@pytest.mark.parametrize("names", [
    ("a/images/1.png", "b/images/2.png"), ("a/axial/1.png", "a/sagittal/1.png", "b/axial/1.png"),
    ("a/P1/1.png", "a/2.png", "b/P3/1.png"), ("a/x/1.png", "b/x/1.png"),
])  # fmt: skip
def test_other_folders_are_not_patients(tmp_path, names):
    assert {sample.patient for sample in index_cohort(write(tmp_path, *names))} == {None}


@pytest.mark.parametrize("pattern", [r"sub-\d+", r"(sub-\d+)_", r"b?/?(?P<patient>sub-\d+)(_.*)"])
def test_a_pattern_finds_the_patient_in_the_path(tmp_path, pattern):
    write(tmp_path, "a/sub-1_x.png", "a/deep/sub-1_y.png", "b/sub-2_x.png")
    cohort = index_cohort(tmp_path, CollectionOptions(patient_pattern=pattern))
    assert [sample.patient for sample in cohort] == ["sub-1", "sub-1", "sub-2"]


def test_paths_without_a_patient_are_counted(tmp_path):
    write(tmp_path, "a/sub-1.png", "b/other.png")
    cohort = index_cohort(tmp_path, CollectionOptions(patient_pattern=r"sub-\d"))
    assert "patient_pattern does not match 1 path (b/other.png)" in cohort.skipped
    assert cohort.unknown_patients.startswith("The patients of 1 of 2 images are not known")
    with pytest.raises(CohortError, match="matches none of 2 paths"):
        index_cohort(tmp_path, CollectionOptions(patient_pattern="nobody"))
    with pytest.raises(ValueError, match="patient_pattern"):
        index_cohort(tmp_path, CollectionOptions(patient_pattern="("))


def test_a_source_pattern_may_match_the_relative_path(tmp_path):
    write(tmp_path, "a/F01/001.png", "b/N01/001.png")
    cohort = index_cohort(tmp_path, CollectionOptions(source_pattern=r"(?P<source>(?P<series>[FN]\d+)/\d+)"))
    assert cohort.sources == ("F01/001", "N01/001")


@pytest.mark.parametrize("inside", ["", "set/"])
def test_an_archive_is_a_collection(tmp_path, inside):
    folder = write(tmp_path / "set", "a/2.png", "a/10.png", "b/P1")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, f"{inside}{path.relative_to(folder)}")
    cohort = index_cohort(tmp_path / "set.zip")
    assert (cohort.name, len(cohort), cohort.labels) == ("set", 3, ("a", "b"))
    assert [sample.name for sample in cohort] == [f"{inside}{name}" for name in ("a/2.png", "a/10.png", "b/P1")]
    assert cohort.samples[0].read() == (folder / "a/2.png").read_bytes()


def test_archives_may_be_the_classes(tmp_path):
    for label in ("mild", "severe"):
        with zipfile.ZipFile(tmp_path / f"{label}.zip", "w") as archive:
            archive.write(write(tmp_path / "x", "1.png") / "1.png", "1.png")
    (tmp_path / "x" / "1.png").unlink()
    assert index_cohort(tmp_path).labels == ("mild", "severe")


def test_an_archive_may_hold_a_manifest(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(write(tmp_path, "1.png") / "1.png", "img/1.png")
        archive.writestr("manifest.csv", "path,label\nimg/1.png,mild\nimg/2.png,severe\n")
    cohort = index_cohort(tmp_path / "set.zip")
    assert (cohort.name, cohort.labels) == ("set", ("mild",))
    assert "1 row whose file is missing (line 3: img/2.png)" in cohort.skipped[0]


def test_a_folder_without_images_is_named_with_the_cause(tmp_path):
    write(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "notes.txt").write_text("text")
    assert "docs/ contains no images: it contains 1 text file (notes.txt)" in index_cohort(tmp_path).skipped
    (tmp_path / "b" / "1.png").rename(tmp_path / "b.png")
    with pytest.raises(CohortError, match=r"class folder .*/b contains no images: it is empty"):
        index_cohort(tmp_path)
