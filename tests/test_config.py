from __future__ import annotations

import json

import pytest

from spinealign.config import (
    ConditioningConfig,
    DecisionConfig,
    EnhancementConfig,
    ModelSettings,
    NoveltyConfig,
    QualityConfig,
)


def test_settings_come_back_from_json_as_they_were():
    settings = ModelSettings(
        ConditioningConfig(window_center=40, window_width=400, denoise="median", equalize="clahe", image_size=160),
        training_data=("set", "phantoms"),
        seed=3,
        quality=QualityConfig(min_side=200),
        decision=DecisionConfig(1.7, 0.3, 0.95, sources=400, note="chosen on val"),
        novelty=NoveltyConfig(23.5, {"set": 0.05}, sources=20),
    )
    assert ModelSettings.from_json(json.loads(settings.to_json())) == settings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"window_width": 0}, "window_width"),
        ({"denoise": "magic"}, "none, gaussian, median, wavelet"),
        ({"equalize": "magic"}, "none, histogram, clahe"),
        ({"image_size": 0}, "image_size"),
        ({"image_mean": (0.5,)}, "each channel"),
        ({"image_std": (0.0, 1.0, 1.0)}, "positive"),
    ],
)
def test_settings_out_of_range_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        ConditioningConfig(**changes)


def test_a_preprocessor_that_cuts_out_the_center_keeps_the_whole_slice_at_the_size_of_the_cut():
    preprocessor = {"size": 256, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}}
    assert ConditioningConfig.from_preprocessor(preprocessor).image_size == 224
    assert ConditioningConfig.from_preprocessor({"size": 160, "do_normalize": False}).image_std == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("change", [{"size": {"height": 224, "width": 384}}, {"do_rescale": False}])
def test_a_preprocessor_that_cannot_be_followed_is_refused(change):
    with pytest.raises(ValueError, match=r"no square|gray levels"):
        ConditioningConfig.from_preprocessor(change)


@pytest.mark.parametrize("size", [{"height": 160, "width": 160}, {"shortest_edge": 160}, 160])
def test_a_preprocessor_of_transformers_gives_the_input(size):
    preprocessor = {"size": size, "image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1], "resample": 2}
    config = ConditioningConfig.from_preprocessor(preprocessor, EnhancementConfig(denoise="median"))
    assert (config.image_size, config.image_mean, config.resample) == (160, (0.1, 0.2, 0.3), 2)
    assert config.denoise == "median"


def test_a_preprocessor_of_something_else_is_refused():
    with pytest.raises(ValueError, match="image input"):
        ConditioningConfig.from_preprocessor({"size": {"longest_edge": 4}})


def test_settings_of_an_older_release_are_read_without_a_decision():
    settings = ModelSettings.from_json({"format_version": 1, "conditioning": {}})
    assert (settings.decision.temperature, settings.decision.operating_point, settings.novelty) == (1.0, 0.5, None)
    assert settings.decision.note == "not calibrated"


@pytest.mark.parametrize("content", [{"decision": 3}, {"novelty": [1]}, {"quality": {"min_side": float("nan")}}])
def test_sections_that_are_damaged_are_refused(content):
    with pytest.raises((ValueError, TypeError)):
        ModelSettings.from_json({"format_version": 1, "conditioning": {}, **content})


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
def test_a_collection_is_known_by_its_name_with_or_without_an_owner(collection, known):
    for trained in (("cervical fracture", "you/set"), ("you/cervical-fracture", "set")):
        assert ModelSettings(training_data=trained).was_trained_on(collection) == known
