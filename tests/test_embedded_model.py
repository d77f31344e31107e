"""Agreement of the embedded model, its metrics, its card and the copy of the card."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT

from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.files import ASSETS
from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.cohort.landmarks.loading import load_films
from spinealign.cohort.masks.loading import load_slices
from spinealign.hub.checks import check_checkpoint
from spinealign.reporting.model_card import render_card
from spinealign.training.sagittal import cross_validation
from spinealign.training.sagittal.cross_validation import SagittalFoldPredictions
from spinealign.training.vertebrae.cross_validation import FoldPredictions, code_digest

EMBEDDED = sorted(path.name for path in ASSETS.iterdir() if (path / "config.json").is_file())
CROSS_VALIDATED = {  # reader of the predictions, digest of the present code, reader of the images
    "xray": (
        FoldPredictions.load,
        code_digest,
        lambda data: load_films(data / "scoliosis_xray", repairs=folds_of("xray").with_name("repairs.csv")),
    ),
    "mri": (
        SagittalFoldPredictions.load,
        cross_validation.code_digest,
        lambda data: load_slices([data / "lumbar_mri", data / "spider"]),
    ),
}


FOLDS = [name for name in CROSS_VALIDATED if (ROOT / "models" / name / "folds.json").is_file()]


def folds_of(name):
    return ROOT / "models" / name / "folds.json"


def test_the_top_level_card_is_a_copy(root):
    embedded, copy = (DEFAULT_FOLDER / "README.md").read_text(), (root / "model_card.md").read_text()
    assert copy.replace("](spinealign/assets/default/", "](") == embedded
    pictures = re.findall(r"!\[.*?\]\((.+?)\)", copy)
    assert len(pictures) == 3
    assert all((root / picture).is_file() for picture in pictures)


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_card_is_rendered_from_the_record(name):
    checkpoint = Checkpoint(ASSETS / name, name)
    assert render_card(*checkpoint.described) == (ASSETS / name / "README.md").read_text()


@pytest.mark.parametrize("name", EMBEDDED)
def test_no_file_name_is_embedded(name):
    for path in (*(ASSETS / name).glob("*.json"), ASSETS / name / "README.md"):
        assert not re.search(r"CSFDV|sunhl|t[er]_\d{3}", path.read_text()), path


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_embedded_model_can_be_published_from_a_checkout(name):
    check_checkpoint(ASSETS / name)


@pytest.mark.parametrize("name", FOLDS)
def test_the_cross_validation_fits_the_present_code(name):
    load, code_digest, _ = CROSS_VALIDATED[name]
    assert load(folds_of(name)).code == code_digest(), f"run make {name}-folds"


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDS)
def test_the_cross_validation_fits_the_present_images(name, data):
    load, _, load_images = CROSS_VALIDATED[name]
    assert load(folds_of(name)).data == load_images(data).digest, f"run make {name}-folds"
