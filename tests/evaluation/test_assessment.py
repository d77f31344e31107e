from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from spinealign import Predictor
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import LoadedCohort, load_images
from spinealign.config import ConditioningConfig
from spinealign.errors import CheckpointError, CohortError
from spinealign.evaluation.assessment import PROBE_FOLDS, assess, folds_of, fracture_index, held_out_part
from spinealign.metrics.shortcut import fold_calls, thumbnail
from spinealign.phantoms.axial_neck import draw_phantom


def loaded_of(*splits):
    samples = tuple(Sample("", "fracture", str(n), split=split, name=str(n)) for n, split in enumerate(splits))
    return LoadedCohort(Cohort("set", samples), np.zeros((len(splits), 8, 8), np.uint8), ConditioningConfig())


def test_training_images_are_never_reported_on_for_want_of_others():
    for splits in (("train", "calibration"), ("train", "train")):
        with pytest.raises(CohortError, match="no part test or val"):
            held_out_part(loaded_of(*splits))


def test_a_collection_without_parts_is_scored_whole():
    part, name = held_out_part(loaded_of(None, None))
    assert (len(part.cohort), name) == (2, "all")


def test_patients_of_a_manifest_are_what_the_intervals_draw(phantom_folder):
    with (phantom_folder / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    path = phantom_folder / "patients.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*rows[0], "patient"])
        writer.writeheader()
        writer.writerows({**row, "patient": f"p{number // 4}"} for number, row in enumerate(rows))
    try:
        loaded = load_images(index_cohort(path), ConditioningConfig(image_size=64), progress=False).part("test")
    finally:
        path.unlink()
    probability = np.linspace(0, 1, 12)
    known = assess(probability, loaded, split="test", threshold=0.5, train=None)
    assert (known.sources, known.unit, known.units) == (12, "patient", 3)
    first = replace(loaded.cohort.samples[0], patient=None)
    partly = LoadedCohort(
        replace(loaded.cohort, samples=(first, *loaded.cohort.samples[1:])), loaded.gray, loaded.config
    )
    assert assess(probability, partly, split="test", threshold=0.5, train=None).unit == "source"


def write_ct(path, patient, seed):
    """Write a phantom as a CT image of a patient."""
    image = draw_phantom(seed, fractured=path.parent.name == "fracture", size=64).slice
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientID, dataset.Modality = patient, "CT"
    dataset.Rows, dataset.Columns = image.pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.PixelData = image.pixels.astype("<i2").tobytes()
    path.parent.mkdir(exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


def test_patients_that_only_headers_tell_are_drawn_and_not_named(tmp_path):
    for number in range(16):
        label = "fracture" if number % 2 else "normal"
        write_ct(tmp_path / label / f"{number}.dcm", f"Doe^Jane {number // 4}", 7_600_000 + number)
    loaded = load_images(index_cohort(tmp_path), ConditioningConfig(image_size=64), progress=False)
    evaluation = assess(np.linspace(0, 1, 16), loaded, split="all", threshold=0.5, train=None)
    assert (evaluation.sources, evaluation.unit, evaluation.units) == (16, "patient", 4)
    assert "Doe" not in repr([replace(sample, image="") for sample in loaded.cohort])
    assert len({(sample.patient, fold) for sample, fold in zip(loaded.cohort, folds_of(loaded, 2, seed=0))}) == 4


def test_one_identifier_in_all_files_is_no_patient(tmp_path):
    for number in range(4):
        write_ct(tmp_path / ("fracture" if number % 2 else "normal") / f"{number}.dcm", "ANON", 7_600_000 + number)
    loaded = load_images(index_cohort(tmp_path), ConditioningConfig(image_size=64), progress=False)
    assert {sample.patient for sample in loaded.cohort} == {None}


def test_without_training_images_the_ridge_learns_from_the_other_sources(phantom_folder):
    loaded = load_images(index_cohort(phantom_folder), ConditioningConfig(image_size=64), progress=False)
    ridge = assess(np.zeros(44), loaded, split="all", threshold=0.5, train=None).thumbnail_ridge
    assert ridge is not None
    fold = folds_of(loaded, PROBE_FOLDS, seed=0)
    calls = fold_calls(np.stack([thumbnail(gray) for gray in loaded.gray]), loaded.positive, fold=fold)
    assert ridge.scores.accuracy == (calls == loaded.positive).mean()
    few = loaded.part("val").chosen(range(4))
    assert assess(np.zeros(4), few, split="val", threshold=0.5, train=None).thumbnail_ridge is None


def test_a_model_without_the_finding_is_refused_before_it_runs():
    class Other:
        model, labels = "other", ("cat", "dog")

    with pytest.raises(CheckpointError, match="cat, dog"):
        fracture_index(Predictor(Other, None))
