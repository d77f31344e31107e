from __future__ import annotations

import json

import pytest
from huggingface_hub import ModelCard

from spinealign.evaluation.evaluation import percent


def numbers_of(folder):
    return json.loads((folder / "metrics.json").read_text())["evaluations"]


def test_the_card_agrees_with_the_metrics(tiny_checkpoint):
    card = ModelCard.load(tiny_checkpoint / "README.md")
    evaluation = numbers_of(tiny_checkpoint)[0]
    published = {result.metric_type: result.metric_value for result in card.data.eval_results}
    for name, hub_name in (("accuracy", "accuracy"), ("sensitivity", "recall"), ("auroc", "roc_auc")):
        assert published[hub_name] == pytest.approx(evaluation["scores"][name], abs=1e-6)
    assert f"| {percent(evaluation['scores']['accuracy'])} |" in card.text
    assert f"| {percent(evaluation['thumbnail_ridge_accuracy'])} |" in card.text
    assert f"| {evaluation['images']} | {evaluation['sources']} |" in card.text


def test_a_published_accuracy_names_the_sources_that_it_rests_on(tiny_checkpoint):
    card = ModelCard.load(tiny_checkpoint / "README.md")
    assert all("12 images of 12 distinct sources" in result.metric_name for result in card.data.eval_results)
    assert all("thumbnail ridge" in result.metric_name for result in card.data.eval_results)
    assert {"spinealign", "onnx"} <= set(card.data.tags)
    assert card.data.pipeline_tag == "image-classification"


def test_the_card_says_what_it_is_not_and_shows_its_pictures(tiny_checkpoint):
    text = (tiny_checkpoint / "README.md").read_text()
    assert "not a medical device" in " ".join(text.split())
    for picture in ("learning_curves.png", "sensitivity_by_size.png"):
        assert f"]({picture})" in text
        assert (tiny_checkpoint / picture).is_file()
