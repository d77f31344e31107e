from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from spinealign import Predictor
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import LoadedCohort, load_images
from spinealign.config import ConditioningConfig
from spinealign.errors import CheckpointError, CohortError
from spinealign.modeling.assessment import assess, fracture_index, held_out_part


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


def test_a_model_without_the_finding_is_refused_before_it_runs():
    class Other:
        model, labels = "other", ("cat", "dog")

    with pytest.raises(CheckpointError, match="cat, dog"):
        fracture_index(Predictor(Other, None))
