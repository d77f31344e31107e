"""Agreement of the embedded model, its metrics, its card and the copy of the card."""

from __future__ import annotations

import json
import re

import pytest
from huggingface_hub import ModelCard

from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.checkpoint.record import ModelRecord
from spinealign.metrics.registry import percent
from spinealign.reporting.model_card import render_card


@pytest.fixture(scope="module")
def evaluations():
    content = json.loads((DEFAULT_FOLDER / "metrics.json").read_text())["evaluations"]
    return {item["collection"]: item for item in content}


def test_the_top_level_card_is_a_copy(root):
    embedded, copy = (DEFAULT_FOLDER / "README.md").read_text(), (root / "model_card.md").read_text()
    assert copy.replace("](spinealign/assets/default/", "](") == embedded
    pictures = re.findall(r"!\[.*?\]\((.+?)\)", copy)
    assert len(pictures) == 3
    assert all((root / picture).is_file() for picture in pictures)


def test_the_card_is_rendered_from_the_record():
    record = ModelRecord.from_dict(json.loads((DEFAULT_FOLDER / "metrics.json").read_text()))
    card = render_card(record, Checkpoint(DEFAULT_FOLDER, "default").settings)
    assert card == (DEFAULT_FOLDER / "README.md").read_text()


def test_the_card_agrees_with_the_metrics(root, evaluations):
    card = ModelCard.load(root / "model_card.md")
    published = {(row.dataset_name, row.metric_type): row.metric_value for row in card.data.eval_results}
    for name, item in evaluations.items():
        assert published[name, "accuracy"] == pytest.approx(item["scores"]["accuracy"], abs=1e-6)
        assert published[name, "recall"] == pytest.approx(item["scores"]["sensitivity"], abs=1e-6)
        assert percent(item["scores"]["specificity"]) in card.text


def test_the_card_states_the_embedded_decision(root):
    settings = json.loads((DEFAULT_FOLDER / "spinealign.json").read_text())
    text = (root / "model_card.md").read_text()
    assert f"temperature of **{settings['decision']['temperature']:.3f}**" in text
    assert f"probability is at least **{settings['decision']['operating_point']:.4f}**" in text
    assert f"exceeds **{settings['novelty']['threshold']:.2f}**" in text
    assert settings["decision"]["sources"] == 400, "calibrated on the phantoms only"
    assert all(share <= 0.05 for share in settings["novelty"]["rejected"].values())


def test_the_card_has_the_audit_of_the_real_images(root):
    record = ModelRecord.from_dict(json.loads((DEFAULT_FOLDER / "metrics.json").read_text()))
    audits = {item.name: item.verdict for item in record.collections}
    text = (root / "model_card.md").read_text()
    assert any("linear model on 16x16 thumbnails reaches 97." in sentence for sentence in audits["cervical fracture"])
    assert any(sentence.startswith("2 source slices are in") for sentence in audits["cervical fracture"])
    assert not any("reaches" in sentence for sentence in audits["phantoms"])
    for sentence in audits["cervical fracture"]:
        assert sentence in text


@pytest.mark.parametrize("name", ["README.md", "metrics.json", "spinealign.json", "config.json"])
def test_no_file_name_is_embedded(name):
    assert "CSFDV" not in (DEFAULT_FOLDER / name).read_text()


def test_the_embedded_model_has_the_required_scores(evaluations):
    real, phantoms = evaluations["cervical fracture"], evaluations["phantoms"]
    assert real["split"] == "val"
    assert real["scores"]["accuracy"] >= 0.99
    assert (phantoms["split"], phantoms["images"], phantoms["sources"]) == ("test", 1000, 1000)
    assert phantoms["scores"]["specificity"] >= 0.90
    wide = [entry for entry in phantoms["sensitivity_by_size"] if entry["from_mm"] >= 3]
    assert sum(entry["sensitivity"] * entry["count"] for entry in wide) / sum(entry["count"] for entry in wide) >= 0.90
    assert 0.4 < phantoms["thumbnail_ridge"]["scores"]["accuracy"] < 0.6


@pytest.mark.parametrize(
    "words",
    ["not a medical device", "distinguishes head slices from neck slices", "finds fractures in phantoms",
     "does not generalize to other patients", "Apache-2.0", "not stated for the images", "DeiT-tiny",
     "says nothing about fractures"],
)  # fmt: skip
def test_the_card_states_what_the_model_can_do(root, words):
    assert words in " ".join((root / "model_card.md").read_text().split())
