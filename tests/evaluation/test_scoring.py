from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from conftest import evaluate_finding
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from spinealign import Predictor
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import LoadedCohort, read_cohort
from spinealign.config import PreprocessingConfig
from spinealign.errors import CohortError
from spinealign.evaluation.scoring import (
    PROBE_FOLDS,
    evidence_of,
    folds_of,
    held_out_part,
    network_output,
    score,
)
from spinealign.labels import binary_target
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.shortcut import fold_calls, thumbnail
from spinealign.phantoms.axial_neck import draw_phantom

TARGET = binary_target("normal", "fracture")


def load(data, predictor=None):
    preprocessing = predictor.preprocessing if predictor else PreprocessingConfig(image_size=64)
    return read_cohort(index_cohort(data), preprocessing, progress=False)


@pytest.fixture(scope="module")
def predictor(tiny_checkpoint):
    return Predictor.from_pretrained(tiny_checkpoint)


@pytest.fixture(scope="module")
def loaded(phantom_folder, predictor):
    return load(phantom_folder, predictor)


def test_the_test_split_is_scored_as_in_the_training(predictor, loaded, tiny_checkpoint):
    stored = json.loads((tiny_checkpoint / "metrics.json").read_text())
    assert score(predictor, loaded) == Evaluation.from_dict(stored["evaluations"][0])


def test_the_predictions_of_the_images_are_kept(predictor, loaded):
    part, found = loaded.part("test"), score(predictor, loaded).predictions
    logits = network_output(predictor, part, progress=False).logits
    np.testing.assert_array_equal(found.probabilities, predictor.probabilities(logits)[0])
    np.testing.assert_array_equal(found.codes, part.codes(TARGET.labels[0]))
    for index, gray in found.gray.items():
        np.testing.assert_array_equal(gray, part.gray[index])
    named = [(sample.name, sample.source) for sample in part.cohort]
    assert list(zip(found.names, found.sources)) == named


def test_rejected_images_are_not_in_the_accepted(predictor, loaded, tiny_checkpoint, tmp_path):
    distances = predictor.measure_novelty(network_output(predictor, loaded.part("val"), progress=False).features)
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))
    settings = json.loads((folder / "spinealign.json").read_text())
    settings["novelty"]["threshold"] = float(np.sort(distances)[2])
    (folder / "spinealign.json").write_text(json.dumps(settings))
    evaluation = score(Predictor.from_pretrained(folder), loaded, split="val")
    assert (evaluation.images, evaluation.accepted.images) == (8, 3)
    assert evaluation.accepted.split == "val, accepted"
    assert evaluation.accepted.thumbnail_ridge is not None
    settings["novelty"]["threshold"] = 1e-9
    (folder / "spinealign.json").write_text(json.dumps(settings))
    assert score(Predictor.from_pretrained(folder), loaded, split="val").accepted is None


def test_a_missing_split_is_named(predictor, loaded):
    with pytest.raises(CohortError, match="no split calibration; it has train, val, test"):
        score(predictor, loaded, split="calibration")


def loaded_of(*splits):
    samples = tuple(Sample("", "fracture", str(n), split=split, name=str(n)) for n, split in enumerate(splits))
    return LoadedCohort(Cohort("set", samples), np.zeros((len(splits), 8, 8), np.uint8), PreprocessingConfig())


def test_training_images_are_not_scored_by_default():
    for splits in (("train", "calibration"), ("train", "train")):
        with pytest.raises(CohortError, match="no split test or val"):
            held_out_part(loaded_of(*splits))


def test_a_collection_without_splits_is_scored_whole():
    part, name = held_out_part(loaded_of(None, None))
    assert (len(part.cohort), name) == (2, "all")


def evaluated(loaded, split):
    count = len(loaded.cohort)
    evidence = evidence_of(loaded, split, target=TARGET)
    return evaluate_finding(loaded.codes(TARGET.labels[0]) == 1, np.linspace(0, 1, count), evidence=evidence, draws=20)


def test_intervals_draw_the_patients_of_a_manifest(phantom_folder):
    with (phantom_folder / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    path = phantom_folder / "patients.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*rows[0], "patient"])
        writer.writeheader()
        writer.writerows({**row, "patient": f"p{number // 4}"} for number, row in enumerate(rows))
    try:
        loaded = load(path).part("test")
    finally:
        path.unlink()
    known = evaluated(loaded, "test")
    assert (known.sources, known.unit, known.units) == (12, "patient", 3)
    first = replace(loaded.cohort.samples[0], patient=None)
    cohort = replace(loaded.cohort, samples=(first, *loaded.cohort.samples[1:]))
    assert evaluated(LoadedCohort(cohort, loaded.gray, loaded.config), "test").unit == "source"


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


def test_patients_of_dicom_headers_are_drawn_but_not_named(tmp_path):
    for number in range(16):
        label = "fracture" if number % 2 else "normal"
        write_ct(tmp_path / label / f"{number}.dcm", f"Doe^Jane {number // 4}", 7_600_000 + number)
    loaded = load(tmp_path)
    evaluation = evaluated(loaded, "all")
    assert (evaluation.sources, evaluation.unit, evaluation.units) == (16, "patient", 4)
    assert "Doe" not in repr([replace(sample, image="") for sample in loaded.cohort])
    assert (
        len({(sample.patient, fold) for sample, fold in zip(loaded.cohort, folds_of(loaded, 2, target=TARGET, seed=0))})
        == 4
    )


def test_the_same_identifier_in_all_files_is_not_a_patient(tmp_path):
    for number in range(4):
        write_ct(tmp_path / ("fracture" if number % 2 else "normal") / f"{number}.dcm", "ANON", 7_600_000 + number)
    assert {sample.patient for sample in load(tmp_path).cohort} == {None}


def test_without_training_images_the_probe_is_cross_validated(phantom_folder):
    loaded = load(phantom_folder)
    (calls,) = evidence_of(loaded, "all", target=TARGET).ridge
    fold = folds_of(loaded, PROBE_FOLDS, target=TARGET, seed=0)
    codes = loaded.codes(TARGET.labels[0])
    expected = fold_calls(np.stack([thumbnail(gray) for gray in loaded.gray]), codes, fold=fold)
    np.testing.assert_array_equal(calls, expected)
    assert evidence_of(loaded.part("val").select(range(4)), "val", target=TARGET).ridge == [None]
