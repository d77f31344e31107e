from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from spinealign import load_cohort
from spinealign.cohort.cohort import Cohort
from spinealign.cohort.indexing import index_cohort
from spinealign.errors import CohortError

HEADER = "StudyInstanceUID,patient_overall,C1,C2,C3,C4,C5,C6,C7\n"
STUDIES = {
    "1.1": "1,0,0,0,0,1,0,0",  # C5
    "1.2": "1,1,1,0,0,0,0,0",  # C1 and C2
    "1.3": "0,0,0,0,0,0,0,0",
    "1.4": "0,0,0,0,0,0,0,0",  # contradicts its box
    "1.5": "1,0,0,0,0,0,0,1",  # no box
}
BOXES = (("1.1", "2"), ("1.1", "3"), ("1.1", "3"), ("1.2", "10"), ("1.2", "99"), ("1.4", "1"))


def lay_out(folder: Path, slices: dict[str, list[str]], studies=STUDIES, boxes=BOXES) -> Path:
    """Write the tables, and an empty file for each slice."""
    for study, names in slices.items():
        (folder / "train_images" / study).mkdir(parents=True)
        for name in names:
            (folder / "train_images" / study / name).touch()
    rows = "".join(f"{study},{flags}\n" for study, flags in studies.items())
    (folder / "train.csv").write_text(HEADER + rows)
    lines = "".join(f"{study},1.5,2,30,40,{number}\n" for study, number in boxes)
    (folder / "train_bounding_boxes.csv").write_text("StudyInstanceUID,x,y,width,height,slice_number\n" + lines)
    return folder


@pytest.fixture
def folder(tmp_path):
    slices = {study: [f"{number}.dcm" for number in (1, 2, 3, 10)] for study in (*STUDIES, "1.6")}
    slices["1.3"].append("notes.txt")
    return lay_out(tmp_path / "rsna", slices)


def test_boxes_give_positives_and_sound_studies_negatives(folder):
    cohort = Cohort.from_rsna2022(folder)
    found = {sample.name.removeprefix("train_images/"): (sample.label, sample.level) for sample in cohort}
    assert found == {
        "1.1/2.dcm": ("fracture", "C5"),
        "1.1/3.dcm": ("fracture", "C5"),
        "1.2/10.dcm": ("fracture", None),
        **{f"1.3/{number}.dcm": ("normal", None) for number in (1, 2, 3, 10)},
    }
    assert [sample.name for sample in cohort][-1] == "train_images/1.3/10.dcm"
    assert all(sample.patient == sample.series == sample.name.split("/")[1] for sample in cohort)


def test_slices_without_a_label_are_counted_by_reason(folder):
    said = "\n".join(Cohort.from_rsna2022(folder).skipped)
    assert "9 slices without a box, in studies with a fracture" in said
    assert "4 slices of studies without a fracture that have boxes" in said
    assert "4 slices of studies that are not in train.csv" in said
    assert "1 slices whose files are not named" in said
    assert "2 slices that have a box but are not in train_images/" in said


def test_the_layout_is_recognized_by_every_command(folder):
    assert index_cohort(folder).samples == Cohort.from_rsna2022(folder).samples


def test_a_set_without_labels_is_an_error_with_counts(tmp_path):
    folder = lay_out(tmp_path / "rsna", {"1.5": ["1.dcm", "2.dcm"], "1.6": ["1.dcm"]})
    with pytest.raises(CohortError, match=r"none of 3 slices has a label: 2 slices without a box.*1 slices of studies"):
        Cohort.from_rsna2022(folder)


@pytest.mark.parametrize(
    ("table", "content", "message"),
    [
        ("train.csv", "StudyInstanceUID,patient_overall\n1.1,1\n", "lacks the columns C1, C2"),
        ("train.csv", HEADER + "1.1,yes,0,0,0,0,0,0,0\n", "patient_overall must be 0 or 1, got 'yes'"),
        ("train_bounding_boxes.csv", "StudyInstanceUID,slice_number\n1.1,two\n", "slice_number 'two' is not a number"),
        ("train_bounding_boxes.csv", "\xff\xfe", "cannot be read as CSV"),
    ],
)
def test_a_damaged_table_is_an_error(folder, table, content, message):
    (folder / table).write_bytes(content.encode("latin-1"))
    with pytest.raises(CohortError, match=message):
        Cohort.from_rsna2022(folder)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(CohortError, match=r"lacks train\.csv"):
        Cohort.from_rsna2022(tmp_path)


def write_ct(path: Path, hounsfield: np.ndarray) -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.Rows, dataset.Columns = hounsfield.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelData = (hounsfield + 1024).astype("<i2").tobytes()
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)


def test_studies_are_split_as_patients(tmp_path):
    studies = {f"1.{number}": STUDIES["1.3" if number % 2 else "1.1"] for number in range(1, 13)}
    boxes = [(study, number) for study, flags in studies.items() if flags[0] == "1" for number in "12"]
    folder = lay_out(tmp_path / "rsna", {study: ["1.dcm", "2.dcm"] for study in studies}, studies, boxes)
    for seed, path in enumerate(sorted(folder.rglob("*.dcm"))):
        write_ct(path, np.random.default_rng(seed).integers(-200, 400, (64, 64)))
    cohort = load_cohort(folder, split="source", progress=False)
    homes = {sample.patient: {item.split for item in cohort if item.patient == sample.patient} for sample in cohort}
    assert (len(cohort), len(homes)) == (24, 12)
    assert all(len(splits) == 1 for splits in homes.values())


@pytest.mark.data
def test_the_real_slices_have_no_label(data):
    with pytest.raises(CohortError, match=r"none of 25 slices has a label: 20 slices without a box.* 5 slices of"):
        index_cohort(data / "rsna2022")
