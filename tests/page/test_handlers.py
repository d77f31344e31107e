from __future__ import annotations

import pytest

from spinealign import Predictor
from spinealign.page.handlers import Turns, show, show_batch
from spinealign.page.models import Models
from spinealign.page.uploads import Upload


@pytest.fixture
def models(toy_model):
    return Models(Predictor.from_pretrained(toy_model), allow_others=True)


@pytest.fixture
def upload(tmp_path, slices, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    path = tmp_path / "token" / "hash" / "a.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(slices["eight"].read_bytes())
    return Upload("a.png", path)


def test_the_finding_comes_before_the_heat_map_without_the_file(models, upload, tmp_path):
    steps = show(models, upload.read)
    finding, view = next(steps)
    assert "fracture" in finding
    assert "sa-heat" not in view
    assert list(tmp_path.iterdir()) == []
    (last,) = steps
    assert "sa-heat" in last[1]
    assert "spinealign.json" in last[0]


def test_a_model_that_cannot_be_loaded_leaves_no_file(models, upload, tmp_path):
    ((message, _),) = show(models, upload.read, chosen="no/such/folder")
    assert "no/such/folder" in message
    assert list(tmp_path.iterdir()) == []


def test_a_batch_leaves_no_file_if_the_model_cannot_be_loaded(models, upload, tmp_path):
    (message,) = show_batch(models, [upload], chosen="no/such/folder")
    assert "no/such/folder" in message
    assert list(tmp_path.iterdir()) == []


def test_a_new_image_ends_the_answer_to_an_earlier_one():
    turns, steps = Turns(), [("a", ""), ("b", "")]
    first, second, other = (turns.until_next(name, iter(steps), nothing=("", "")) for name in ("ann", "ann", "bob"))
    assert next(first) == next(second) == next(other) == ("a", "")
    assert list(first) == [("", "")]
    assert list(second) == list(other) == [("b", ""), ("", "")]
