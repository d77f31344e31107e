"""Rejection of unknown images by the embedded model."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from spinealign import Predictor
from spinealign.imaging.preprocessing import preprocess
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.reading.discovery import expand_paths
from spinealign.reading.slices import read_slice


@pytest.fixture(scope="module")
def predictor():
    return Predictor.from_pretrained()


def distances(predictor, paths):
    images = [preprocess(read_slice(path), predictor.preprocessing) for path in paths]
    chunks = [np.stack(images[start : start + 16]) for start in range(0, len(images), 16)]
    return np.concatenate([predictor.measure_novelty(predictor.run(chunk).features) for chunk in chunks])


@pytest.mark.data
@pytest.mark.slow
def test_other_images_are_rejected_and_known_ones_are_not(predictor, data):
    limit = predictor.settings.novelty.threshold
    known = distances(predictor, expand_paths([str(data / "cervical fracture" / "val")])[0][::2])
    assert len(known) == 200
    assert (known > limit).mean() <= 0.06
    for folder in sorted(path for path in (data / "out_of_distribution").iterdir() if path.is_dir()):
        unknown = distances(predictor, expand_paths([str(folder)])[0][::2])
        truth = np.r_[np.zeros(len(known)), np.ones(len(unknown))]
        assert roc_auc_score(truth, np.r_[known, unknown]) >= 0.99, folder.name
        assert (unknown > limit).mean() >= 0.98, folder.name


def test_phantoms_of_any_size_are_known(predictor):
    for size in (192, 384):
        predictions = predictor([draw_phantom(12_000_000 + n, size=size).slice for n in range(5)])
        assert sum(prediction.accepted for prediction in predictions) >= 4, size
