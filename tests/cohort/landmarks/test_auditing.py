"""Audit of films on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cohort.landmarks.conftest import WriteTable
from spinealign.cli import main
from spinealign.phantoms.frontal_spine import draw_frontal_spine

TRAIN, TEST = "x-02-Jan-2017-7 A.png", "x-28-Feb-2017-7 A.png"


@pytest.fixture
def collection(write_table: WriteTable) -> Path:
    """A film that is also in test, and one with two vertebrae out of order."""
    film = draw_frontal_spine([-15, 20], height=256)
    corners = film.corners / film.slice.shape[::-1]
    write_table("train", {TRAIN: corners, "other.png": corners[[1, 0, *range(2, 17)]]})
    folder = write_table("test", {TEST: corners})
    for name in (f"train/{TRAIN}", f"test/{TEST}"):
        Image.fromarray(film.slice.pixels.astype(np.uint8)).save(folder / name)
    return folder


def test_the_audit_prints_labels_and_pairs(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(collection), "--strict"]) == 3
    said = " ".join(capsys.readouterr().out.split())

    assert "1 pair of films with the same radiograph by their pixels, 1 of them in two splits" in said
    assert "0 of 1 test films are of groups that no other split shows" in said
    assert f"1.00 {TEST} test {TRAIN} train" in said
    assert "repaired train other.png vertebrae out of order" in said


def test_the_audit_of_films_is_also_json(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(collection), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert [(pair["kind"], pair["splits"]) for pair in found["pairs"]] == [("same", ["test", "train"])]
    assert found["outcomes"] == {"test": {"ok": 1}, "train": {"ok": 1, "repaired": 1}}


def test_options_for_images_are_refused_for_films(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(collection), "--crop_search"]) == 1
    assert "leave them out" in capsys.readouterr().err
