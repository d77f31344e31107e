"""Patients from folders and headers together, and what is said if they are not known."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import read_cohort
from spinealign.cohort.splitting import load_cohort
from spinealign.config import PreprocessingConfig
from spinealign.errors import CohortError

CONFIG = PreprocessingConfig(image_size=32)
RANDOM = np.random.default_rng(0)


def ct_slice(patient):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", Dataset(), preamble=bytes(128), file_meta=meta)
    dataset.SOPClassUID, dataset.Modality, dataset.PatientID = CTImageStorage, "CT", patient
    dataset.Rows = dataset.Columns = 32
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleIntercept, dataset.RescaleSlope = 0, 1
    dataset.PixelData = RANDOM.integers(-500, 900, (32, 32)).astype("<i2").tobytes()
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.fixture
def images(tmp_path):
    """Return a folder of six images of noise in two classes."""
    for number in range(6):
        path = tmp_path / ("fracture" if number % 2 else "normal") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RANDOM.integers(0, 255, (64, 64)).astype(np.uint8)).save(path)
    return tmp_path


def test_a_header_joins_two_folders_of_one_patient(tmp_path):
    for study, patient in (("a/S1", "Doe"), ("b/S2", "Doe"), ("a/S3", "Roe"), ("b/S4", "")):
        (tmp_path / study).mkdir(parents=True)
        (tmp_path / study / "IM0001").write_bytes(ct_slice(patient))
    loaded = read_cohort(index_cohort(tmp_path), CONFIG, progress=False)
    by_study = {sample.name.split("/")[1]: sample.patient for sample in loaded.cohort}
    assert by_study == {"S1": "S1", "S2": "S1", "S3": "S3", "S4": "S4"}
    assert loaded.modality == "CT"


def test_a_split_says_that_patients_are_not_known(images):
    cohort = load_cohort(images, split="source", progress=False)
    assert any("the patients are not known, so images" in line for line in cohort.skipped)


def test_unreadable_collections_name_the_causes_with_counts(tmp_path):
    for label in ("fracture", "normal"):
        (tmp_path / label).mkdir()
        for number in range(2):
            (tmp_path / label / f"{number}.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CohortError, match=r"none of 4 images can be read \(4 of 4: each is a git-lfs pointer; run"):
        read_cohort(index_cohort(tmp_path), CONFIG, progress=False)
