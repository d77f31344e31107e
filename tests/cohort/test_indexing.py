from __future__ import annotations

import cProfile
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spinealign.cohort.hub_rows import hub_samples
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.naming import COPY_PATTERN
from spinealign.cohort.options import CollectionOptions
from spinealign.errors import CohortError

GRAY = np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1))


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(GRAY).save(path, format="PNG")
    return root


def manifest(root, text, *names):
    write(root, *names)
    (root / "cohort.csv").write_text(text)
    return root / "cohort.csv"


def test_folders_give_split_label_source_and_series(tmp_path):
    write(
        tmp_path / "set",
        "train/fracture/CSFDV1B10 (18)-rotated1.png",
        "train/fracture/CSFDV1B10 (18)-sharpened1-rotated3.png",
        "train/normal/CSNDV1B10 (7).png",
        "validation/Fracture/CSFDV1B10 (19).png",
        "validation/Normal/CSNDV1B10 (8).png",
    )
    cohort = index_cohort(tmp_path / "set")
    assert (cohort.name, len(cohort), cohort.labels, cohort.splits) == (
        "set",
        5,
        ("fracture", "normal"),
        ("train", "val"),
    )
    assert len(cohort.sources) == 4
    first = cohort.samples[0]
    assert (first.label, first.source, first.series, first.split) == (
        "fracture",
        "CSFDV1B10 (18)",
        "CSFDV1B10",
        "train",
    )
    assert first.name == "train/fracture/CSFDV1B10 (18)-rotated1.png"


def test_class_folders_without_splits_give_no_split(tmp_path):
    cohort = index_cohort(write(tmp_path, "fracture/a.png", "normal/b.jpg"))
    assert cohort.splits == ()
    assert [sample.source for sample in cohort] == ["fracture/a.png", "normal/b.jpg"]


def test_files_of_one_name_in_two_folders_are_different_sources(tmp_path):
    for split in ("train", "val"):
        for label in ("fracture", "normal"):
            write(tmp_path, *(f"{split}/{label}/{name}.png" for name in ("0", "image (1)")))
    assert len(index_cohort(tmp_path).sources) == 8


def test_a_pattern_gives_source_and_series(tmp_path):
    write(tmp_path, "fracture/p1_s04_v1.png", "fracture/p1_s04_v2.png", "normal/p2_s01_v1.png")
    cohort = index_cohort(tmp_path, CollectionOptions(source_pattern=r"(?P<source>(?P<series>p\d+)_s\d+)_v\d+"))
    assert cohort.sources == ("p1_s04", "p2_s01")
    assert {sample.series for sample in cohort} == {"p1", "p2"}


@pytest.mark.parametrize(("pattern", "words"), [("(", "not a regular expression"), (r"(\d+)", r"\(\?P<source>")])
def test_an_invalid_pattern_is_refused(tmp_path, pattern, words):
    with pytest.raises(ValueError, match=words):
        index_cohort(write(tmp_path, "fracture/a.png"), CollectionOptions(source_pattern=pattern))


def test_all_columns_of_a_manifest_are_read(tmp_path):
    path = manifest(
        tmp_path,
        "path,label,split,source,series,size_mm\na.png,Fracture,train,s1,p1,2.5\nb.png,normal,train,s2,p2,\n"
        "a.png,fracture,dev,s3,p1,\nb.png,normal,dev,s2,p2,\n",
        "a.png",
        "b.png",
    )
    first, *_, second = index_cohort(path)
    assert (first.label, first.split, first.source, first.series, first.size_mm) == (
        "fracture",
        "train",
        "s1",
        "p1",
        2.5,
    )
    assert (second.split, second.size_mm) == ("val", None)


def test_unusable_rows_are_skipped_with_a_reason(tmp_path):
    path = manifest(
        tmp_path, "path,label\na.png,fracture\nmissing.png,normal\nb.png,\nb.png,normal\n", "a.png", "b.png"
    )
    cohort = index_cohort(path)
    assert len(cohort) == 2
    assert cohort.skipped[0] == (
        "cohort.csv: 2 of 4 rows passed over: 1 row whose file is missing (line 3: missing.png), "
        "1 row without a label (line 4)"
    )


def test_other_and_hidden_files_are_skipped(tmp_path):
    write(tmp_path, "fracture/a.png", "normal/b.png", "normal/.hidden.png")
    (tmp_path / "normal" / "notes.txt").write_text("x")
    cohort = index_cohort(tmp_path)
    assert len(cohort) == 2
    assert cohort.skipped[0] == (
        "2 of 4 files passed over: 1 hidden or system file (normal/.hidden.png), 1 text file (normal/notes.txt)"
    )


def test_images_outside_class_folders_are_listed(tmp_path):
    write(tmp_path, "train/fracture/a.png", "train/normal/b.png", "train/stray.png", "lost.png")
    assert (
        index_cohort(tmp_path).skipped[0] == "2 of 4 images passed over: 2 images outside the class folders (lost.png)"
    )


def test_names_without_a_source_are_counted(tmp_path):
    write(tmp_path, "fracture/CSFDV1B10 (1).png", "fracture/a.png", "normal/b.png")
    assert "2 of 3 names do not give a source slice" in index_cohort(tmp_path).skipped[-1]
    with pytest.raises(CohortError, match="matches none of 3"):
        index_cohort(tmp_path, CollectionOptions(source_pattern="(?P<source>patient.)"))


def make_empty_class(root):
    write(root, "train/fracture/a.png", "val/fracture/b.png", "val/normal/c.png")
    (root / "train" / "normal").mkdir()


def make_text(text):
    return lambda root: manifest(root, text, "a.png")


BAD_COHORTS = {
    "missing folder": (lambda root: root / "nothing", "check the path"),
    "empty folder": (lambda root: None, "no class folders"),
    "images without class": (lambda root: write(root, "a.png"), "no class folders"),
    "empty class folder": (make_empty_class, "contains no images"),
    "misspelled class in a split": (
        lambda root: write(
            root, "train/fracture/a.png", "train/normal/b.png", "val/fractur/c.png", "val/normal/d.png"
        ),
        "misspelled",
    ),
    "folder of text": (
        lambda root: (write(root, "fracture/a.png") / "normal").mkdir() or
        ((root / "normal" / "a.csv").write_text("text") and None), "normal contains no images: it contains 1 text file",
    ),
    "manifest without label column": (make_text("path,verdict\na.png,fracture\n"), "--label_column"),
    "manifest without rows": (make_text("path,label\n"), "a header and no rows"),
    "tables beside a folder of images": (lambda root: write(root, "images/a.png", "labels.csv"), "or a table that"),
    "manifest with an unknown split": (make_text("path,label,split\na.png,fracture,holdout\n"), "unknown split"),
    "manifest of missing files": (make_text("path,label\nb.png,fracture\n"), "line 2: b.png"),
    "manifest that is not text": (
        lambda root: (root / "cohort.csv").write_bytes(b"path,label\n\xff\xfe\x00") and root / "cohort.csv", "not a te",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "words"), BAD_COHORTS.values(), ids=BAD_COHORTS)
def test_an_unusable_collection_is_refused_with_the_reason(tmp_path, make, words):
    made = make(tmp_path)
    target = made if made is not None and (made.suffix == ".csv" or not made.exists()) else tmp_path
    with pytest.raises(CohortError, match=words):
        index_cohort(target)


def test_moved_paths_and_unread_columns_are_reported(tmp_path):
    table = "Image Path;Diagnosis;Subject;age\nC:\\old\\img\\a.png;x;S1;50\nC:\\old\\img\\b.png;y;S2;60\n"
    path = manifest(tmp_path / "new", table, "scans/a.png", "scans/b.png")
    cohort = index_cohort(path)
    assert [(sample.label, sample.patient) for sample in cohort] == [("x", "S1"), ("y", "S2")]
    assert any("2 paths moved, found below" in line and "C:/old/img/a.png in" in line for line in cohort.skipped)
    assert "cohort.csv: columns not read: age" in cohort.skipped
    moved = path.rename(tmp_path / "cohort.csv")
    with pytest.raises(CohortError, match="check the option root"):
        index_cohort(moved, CollectionOptions(root=str(tmp_path / "new" / "scans" / "none")))
    assert len(index_cohort(moved, CollectionOptions(root=str(tmp_path / "new")))) == 2


def test_names_without_the_suffix_are_found(tmp_path):
    table = "image_id,label\n1_t1,x\nscans/1.2.3,y\n4,x\n"
    cohort = index_cohort(manifest(tmp_path, table, "scans/1_t1.png", "scans/1.2.3.dcm", "4.png", "4_t2.png"))
    assert [Path(sample.image).name for sample in cohort] == ["1_t1.png", "1.2.3.dcm", "4.png"]
    assert any("3 paths" in line for line in cohort.skipped)


def test_repeated_and_contradicting_rows_are_counted(tmp_path):
    table = "path;label;size mm\na.png;x;3,5\na.png;x;4,5\nb.png;y;\nb.png;x;\n"
    cohort = index_cohort(manifest(tmp_path, table, "a.png", "b.png"))
    assert [(sample.label, sample.size_mm) for sample in cohort] == [("x", 3.5), ("y", None), ("x", None)]
    notes = "\n".join(cohort.skipped)
    assert "1 of 4 rows passed over: 1 repeated row (line 3: a.png)" in notes
    assert "1 row with other labels than an earlier one of its file (line 5: b.png)" in notes


def test_options_of_manifests_are_named_where_they_do_nothing(tmp_path):
    folder = write(tmp_path, "x/a.png", "y/b.png")
    cohort = index_cohort(folder, CollectionOptions(label_column="x", root="y"))
    assert any(line.startswith("label_column, root ignored") for line in cohort.skipped)
    with pytest.raises(CohortError, match="no columns grade"):
        index_cohort(folder, CollectionOptions(labels=["grade"]))


def test_a_workbook_is_named_as_such(tmp_path):
    with zipfile.ZipFile(tmp_path / "labels.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "")
    with pytest.raises(CohortError, match="save the sheet as CSV"):
        index_cohort(tmp_path / "labels.xlsx")


def test_a_parquet_file_of_images_is_a_collection(tmp_path):
    from datasets import Dataset, Features, Image, Value

    write(tmp_path, "a.png", "b.png")
    kinds = Features({"image": Image(), "label": Value("string"), "patient": Value("string")})
    images = [{"bytes": (tmp_path / name).read_bytes(), "path": name} for name in ("a.png", "b.png")]
    rows = Dataset.from_dict({"image": images, "label": ["x", "y"], "patient": ["p", None]}, kinds)
    rows.to_parquet(tmp_path / "set.parquet")
    cohort = index_cohort(tmp_path / "set.parquet")
    assert [(sample.label, sample.patient) for sample in cohort] == [("x", "p"), ("y", None)]
    assert cohort.samples[0].read() == (tmp_path / "a.png").read_bytes()


def test_classes_that_a_split_lacks_are_noted(tmp_path):
    write(tmp_path, "train/a/1.png", "train/b/2.png", "train/c/3.png", "test/b/4.png")
    assert f"{tmp_path.name}: split test has no image of class a, c" in index_cohort(tmp_path).skipped


def test_an_unreachable_hub_dataset_is_reported():
    with pytest.raises(CohortError, match="Hub dataset"):
        index_cohort("spinealign/there-is-no-such-dataset")


def test_rows_of_a_hub_dataset_become_samples(tmp_path):
    from datasets import ClassLabel, Dataset, Features, Image, Value

    write(tmp_path, "CSFDV1B10 (4)-rotated1.png", "5.png")
    kinds = {"image": Image(), "label": ClassLabel(names=["normal", "fracture"]), "source": Value("string")}
    rows = Dataset.from_dict(
        {"image": [str(tmp_path / "CSFDV1B10 (4)-rotated1.png"), str(tmp_path / "5.png"), None, str(tmp_path / "5.png"),
                   str(tmp_path / "5.png")],
         "label": [1, 0, 0, -1, 0], "source": ["", "named", "", "", ""]},
        Features(kinds),
    )  # fmt: skip
    (first, second, third), skipped = hub_samples(rows, "validation", pattern=re.compile(COPY_PATTERN))
    assert (first.label, first.source, first.series, first.split) == ("fracture", "CSFDV1B10 (4)", "CSFDV1B10", "val")
    assert (second.label, second.source) == ("normal", "named")
    assert third.source == "validation row 4"
    assert skipped == [
        "2 rows of validation passed over: 1 row without a label (validation row 3), "
        "1 row without an image (validation row 2)"
    ]


def test_a_hub_dataset_without_labels_is_refused():
    from datasets import Dataset

    with pytest.raises(CohortError, match="one image column"):
        hub_samples(Dataset.from_dict({"text": ["a"]}), "train", pattern=re.compile(COPY_PATTERN))


def test_the_work_of_indexing_grows_linearly(tmp_path):
    calls = {}
    for count in (200, 800):
        for number in range(count):
            path = tmp_path / str(count) / ("fracture" if number % 2 else "normal") / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        with cProfile.Profile() as profile:
            index_cohort(tmp_path / str(count))
        calls[count] = sum(entry.callcount for entry in profile.getstats())
    assert calls[800] < 5 * calls[200]


@pytest.mark.data
def test_the_official_folder_has_68_sources_and_two_leaks(data):
    from spinealign.cohort.splitting import find_leaks

    cohort = index_cohort(data / "cervical fracture")
    assert (len(cohort), len(cohort.sources), cohort.splits) == (1400, 68, ("train", "val"))
    leaks = find_leaks(cohort)
    assert len(leaks) == 2
    assert all(splits == ("train", "val") for _, splits in leaks)
    assert {source.rsplit(" ", 1)[1] for source, _ in leaks} == {"(18)", "(109)"}
