from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import spinealign
from spinealign import Predictor
from spinealign.errors import UnreadableSliceError
from spinealign.phantoms.axial_neck import draw_phantom


@pytest.fixture(scope="module")
def predictor():
    return Predictor.from_pretrained()


def test_a_prediction_holds_the_most_probable_class_and_all_probabilities(predictor, gray):
    prediction = predictor(gray)
    assert prediction.confidence == max(prediction.probabilities.values())
    assert prediction.probabilities[prediction.label] == prediction.confidence
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert not prediction.accepted, "it is far too small"
    assert any("too small: shorter side 40 pixels" in reason for reason in prediction.rejection_reasons)
    assert prediction.model == "spinealign/default"


def test_a_prediction_goes_to_json_with_its_keys_in_order(predictor, gray):
    content = json.loads(json.dumps(predictor(gray).to_dict()))
    assert list(content) == ["label", "confidence", "probabilities", "accepted", "rejection_reasons", "model"]


def test_the_verb_and_the_object_say_the_same(predictor, slice_png):
    assert spinealign.predict(str(slice_png)).to_dict() == predictor(slice_png).to_dict()


def test_a_list_gives_a_list_in_its_order(predictor):
    images = [draw_phantom(seed, size=96).slice for seed in range(11)]
    together = [prediction.probabilities["fracture"] for prediction in predictor(images)]
    alone = [predictor(image).probabilities["fracture"] for image in images]
    assert together == pytest.approx(alone, abs=1e-5)
    assert predictor([]) == []


def test_threads_may_share_a_predictor(predictor):
    images = [draw_phantom(seed, size=96).slice for seed in range(6)]
    with ThreadPoolExecutor(4) as pool:
        shared = [prediction.to_dict() for prediction in pool.map(predictor, images)]
    assert shared == [predictor(image).to_dict() for image in images]


def test_an_unreadable_image_raises(predictor, tmp_path):
    with pytest.raises(UnreadableSliceError):
        predictor(tmp_path / "nothing.png")


def test_the_embedded_model_finds_wide_breaks_in_phantoms_it_has_not_seen(predictor):
    phantoms = [draw_phantom(5_000_000 + n, fractured=n % 2 == 0, break_mm=6.0, size=256) for n in range(40)]
    called = [prediction.label for prediction in predictor([phantom.slice for phantom in phantoms])]
    right = [label == phantom.label for label, phantom in zip(called, phantoms)]
    assert np.mean(right) >= 0.85


@pytest.mark.data
@pytest.mark.slow
def test_the_embedded_model_gives_the_same_findings_through_both_engines(predictor, data):
    files = sorted((data / "cervical fracture" / "val").rglob("*.png"))[::4]
    phantoms = [draw_phantom(5_500_000 + n, fractured=n % 2 == 0).slice for n in range(100)]
    torch = Predictor.from_pretrained(engine="torch")
    same = [
        left.label == right.label for left, right in zip(predictor([*files, *phantoms]), torch([*files, *phantoms]))
    ]
    assert len(same) == 200
    assert np.mean(same) >= 0.995


@pytest.mark.data
@pytest.mark.slow
def test_the_embedded_model_reaches_its_figure_on_the_official_validation_part(predictor, data):
    from spinealign.cohort.indexing import index_cohort
    from spinealign.cohort.preparing import prepare_cohort
    from spinealign.evaluation.scoring import score

    cohort = index_cohort(data / "cervical fracture")
    loaded = prepare_cohort(cohort, predictor.conditioning, split=None, on_leakage="drop", progress=False)
    evaluation = score(predictor, loaded).evaluation
    assert (evaluation.images, evaluation.sources) == (400, 20)
    assert evaluation.scores.accuracy >= 0.99
    assert evaluation.thumbnail_ridge_accuracy >= 0.95, "so this proves nothing about fractures"
