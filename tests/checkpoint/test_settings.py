from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from spinealign.checkpoint.settings import FORMAT_VERSION, ModelSettings
from spinealign.config import DecisionConfig, NoveltyConfig, PreprocessingConfig, QualityConfig
from spinealign.labels import Label, Target, binary_target

VERSION_1 = Path(__file__).parent / "data" / "spinealign-version-1.json"
CLASSES = ("normal", "fracture")
DEFAULT = ModelSettings(target=binary_target(*CLASSES))
GRADES = Label("pfirrmann", "ordinal", ("1", "2", "3"))
NARROWING = Label("narrowing", "binary", ("no", "yes"), "yes")
FULL = ModelSettings(
    target=Target("mixed", (GRADES, NARROWING)),
    preprocessing=PreprocessingConfig(
        window_center=40, window_width=400, denoise="median", equalize="clahe", image_size=160
    ),
    training_data=("set", "phantoms"),
    seed=3,
    source_pattern=r"(?P<source>\d+)",
    quality=QualityConfig(min_side=200),
    decisions={"narrowing": DecisionConfig(1.7, 0.3, 0.95, sources=400, note="chosen on val")},
    novelty=NoveltyConfig(23.5, {"set": 0.05}, sources=20),
)


def version(number, **content):
    return {"format_version": number, "conditioning" if number == 1 else "preprocessing": {}, **content}


@pytest.mark.parametrize("settings", [FULL, DEFAULT], ids=["full", "default"])
def test_settings_survive_json(settings):
    assert json.loads(settings.to_json())["format_version"] == FORMAT_VERSION
    assert ModelSettings.from_json(json.loads(settings.to_json()), settings.target.outputs) == settings


def test_labels_without_a_decision_are_not_calibrated():
    assert FULL.decisions["pfirrmann"] == DecisionConfig()
    with pytest.raises(ValueError, match="unknown labels: other"):
        ModelSettings(target=FULL.target, decisions={"other": DecisionConfig()})


def test_labels_that_differ_from_the_outputs_are_refused():
    with pytest.raises(ValueError, match=r"pfirrmann=1.*config\.json names"):
        ModelSettings.from_json(json.loads(FULL.to_json()), ("narrowing",))


def test_version_1_is_read_as_fracture_classification():
    content = json.loads(VERSION_1.read_text())
    assert content["format_version"] == 1
    settings = ModelSettings.from_json(content, CLASSES)
    assert (settings.task, settings.target) == ("classification", binary_target(*CLASSES))
    assert settings.preprocessing == PreprocessingConfig()
    assert settings.quality == QualityConfig()
    assert settings.decisions["label"] == DecisionConfig(**content["decision"])
    assert settings.novelty == NoveltyConfig(**content["novelty"])
    assert settings.training_data == ("cervical fracture", "phantoms")
    assert (settings.split, settings.source_pattern, settings.seed) == ("auto", None, 42)


def test_the_positive_class_of_version_2_is_kept():
    content = version(2, positive_class="dislocation", decision={"temperature": 2.0})
    settings = ModelSettings.from_json(content, ("dislocation", "normal"))
    assert settings.target.labels == (Label("label", "binary", ("dislocation", "normal"), "dislocation"),)
    assert settings.decisions["label"].temperature == 2.0


@pytest.mark.parametrize("classes", [("cat", "dog"), ("fracture", "normal", "other")])
def test_version_2_without_the_positive_class_has_no_finding(classes):
    target = ModelSettings.from_json(version(2), classes).target
    assert target == Target("multi_class", (Label("label", "multi_class", classes),))


def test_the_preprocessing_of_version_1_is_kept():
    config = {"window_center": 40, "window_width": 400, "denoise": "median", "image_size": 64}
    settings = ModelSettings.from_json(version(1, conditioning=config), CLASSES)
    assert settings.preprocessing == PreprocessingConfig(**config)


@pytest.mark.parametrize("number", [1, 2])
def test_missing_sections_take_their_defaults(number):
    assert ModelSettings.from_json(version(number), CLASSES) == DEFAULT


@pytest.mark.parametrize("number", [1, 2])
def test_unknown_fields_are_ignored(number):
    content = version(number, future={"a": 1}, quality={"min_side": 200, "future": 1})
    assert ModelSettings.from_json(content, CLASSES) == replace(DEFAULT, quality=QualityConfig(min_side=200))


@pytest.mark.parametrize(
    "content",
    [version(4), version(99, preprocessing=None), version(2, task="vertebrae"), version(2, task=["classification"])],
)
def test_newer_formats_and_unknown_tasks_say_to_upgrade(content):
    with pytest.raises(ValueError, match="pip install --upgrade spinealign"):
        ModelSettings.from_json(content, CLASSES)


@pytest.mark.parametrize("number", [None, 0, -1, 1.0, True, "2", float("inf"), float("nan")])
def test_a_wrong_version_is_refused(number):
    with pytest.raises(ValueError, match="format_version"):
        ModelSettings.from_json({"format_version": number, "preprocessing": {}}, CLASSES)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    "change",
    [
        {"decision": 3},
        {"novelty": [1]},
        {"novelty": {}},
        {"quality": {"min_side": float("nan")}},
        {"training_data": "set"},
        {"seed": "3"},
        {"split": None},
        {"positive_class": 1},
    ],
    ids=str,
)
def test_damaged_sections_are_refused(number, change):
    with pytest.raises((ValueError, TypeError)):
        ModelSettings.from_json(version(number, **change), CLASSES)


@pytest.mark.parametrize("content", [{"format_version": 1}, {"format_version": 2}, version(1, conditioning=None)])
def test_settings_without_preprocessing_are_refused(content):
    with pytest.raises(ValueError, match=r"preprocessing|expected an object"):
        ModelSettings.from_json(content, CLASSES)


@pytest.mark.parametrize(
    ("collection", "known"),
    [
        ("cervical fracture", True),
        ("you/cervical-fracture", True),
        ("you/Cervical_Fracture", True),
        ("set", True),
        ("other/set", True),
        ("set2", False),
        ("fracture", False),
        ("set/other", False),
    ],
)
def test_a_collection_is_known_by_name_with_or_without_owner(collection, known):
    for trained in (("cervical fracture", "you/set"), ("you/cervical-fracture", "set")):
        assert replace(DEFAULT, training_data=trained).was_trained_on(collection) == known
