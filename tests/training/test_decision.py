from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from spinealign import Predictor
from spinealign.checkpoint.engines import Output
from spinealign.checkpoint.settings import ModelSettings
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import PreprocessingConfig
from spinealign.errors import CheckpointError
from spinealign.labels import Label, Target, binary_target
from spinealign.metrics.calibration import MIN_SOURCES
from spinealign.metrics.novelty import NoveltyStatistics
from spinealign.training import decision
from spinealign.training.decision import REJECTED_SHARE, MeasuredCohort, choose_decisions, fit_rejection, measure

TARGET = binary_target("normal", "fracture")

SIDE = 16


class BrightnessCheckpoint:
    model = name = "brightness"
    remedy = "train it again"
    labels, novelty = ("normal", "fracture"), None
    settings = ModelSettings(
        target=binary_target("normal", "fracture"),
        preprocessing=PreprocessingConfig(image_size=SIDE, image_mean=(0.0,), image_std=(1.0,)),
    )


def brightness(pixel_values):
    """Run a network whose log-odds depend on the brightness; its features are mean and contrast."""
    mean, spread = pixel_values.mean(axis=(1, 2, 3)), pixel_values.std(axis=(1, 2, 3))
    return Output(np.stack([np.zeros_like(mean), 20 * mean - 10], axis=1), np.stack([mean, spread], axis=1))


@pytest.fixture
def predictor():
    return Predictor(BrightnessCheckpoint, brightness)


def collection(count, *, splits=("train", "val", "test"), name="set", noise=0.15):
    """Return slices whose brightness predicts a fracture, with some error."""
    rng = np.random.default_rng(len(name) + count)
    samples, images = [], []
    for split in splits:
        for number in range(count):
            positive = number % 2 == 0
            level = np.clip(rng.normal(0.6 if positive else 0.4, noise), 0, 1)
            images.append(np.clip(level * 255 + rng.normal(0, 10, (SIDE, SIDE)), 0, 255).astype(np.uint8))
            label = "fracture" if positive else "normal"
            samples.append(Sample("", label, f"{name} {split} {number}", split=split, name=f"{split}/{number}"))
    return LoadedCohort(Cohort(name, tuple(samples)), np.stack(images), BrightnessCheckpoint.settings.preprocessing)


def decide(predictor, collections, *, sensitivity=0.95):
    measured = [measure(predictor, item, seed=0) for item in collections]
    return choose_decisions(TARGET, measured, sensitivity=sensitivity)["label"]


def test_the_operating_point_reaches_the_target_sensitivity(predictor):
    loaded = collection(4 * MIN_SOURCES)
    chosen = decide(predictor, [loaded], sensitivity=0.9)
    part = loaded.part("val")
    raw = 20 * part.gray.mean(axis=(1, 2)) / 255 - 10
    called = 1 / (1 + np.exp(-raw / chosen.temperature)) >= chosen.operating_point
    assert 0.9 <= called[part.codes(TARGET.labels[0]) == 1].mean() <= 0.96
    assert chosen.temperature > 1.2, "the network is overconfident"
    assert (chosen.target_sensitivity, chosen.sources) == (0.9, 4 * MIN_SOURCES)
    assert "set (val)" in chosen.note


def test_nothing_is_chosen_on_the_reported_split(predictor):
    chosen = decide(predictor, [collection(400, splits=("train", "val"))])
    assert (chosen.temperature, chosen.operating_point, chosen.sources) == (1.0, 0.5, 0)
    assert "neither trained nor reported on" in chosen.note


def test_too_few_sources_leave_the_temperature_at_one(predictor):
    chosen = decide(predictor, [collection(2 * MIN_SOURCES - 2)])
    assert (chosen.temperature, chosen.operating_point) == (1.0, 0.5)
    assert f"{MIN_SOURCES} distinct sources of each class" in chosen.note


def test_a_collection_with_too_few_sources_is_ignored(predictor):
    large, small = collection(4 * MIN_SOURCES), collection(6, name="small")
    assert decide(predictor, [large, small]) == decide(predictor, [large])


def test_a_source_of_an_unmeasured_training_image_is_not_used(predictor, monkeypatch):
    loaded = collection(4 * MIN_SOURCES)
    count = 4 * MIN_SOURCES
    copied = [replace(item, source=f"set val {index}") for index, item in enumerate(loaded.cohort.samples[:count])]
    leaking = replace(loaded, cohort=replace(loaded.cohort, samples=(*copied, *loaded.cohort.samples[count:])))
    monkeypatch.setattr(decision, "MAX_REFERENCE", 10)
    assert decide(predictor, [loaded]).sources == count
    assert decide(predictor, [leaking]).sources == 0


GRADES = Label("grade", "ordinal", ("0", "1", "2"))
TWO_LABELS = Target("mixed", (GRADES, Label("arch", "binary", ("no", "yes"), "yes")))


def test_each_label_has_a_decision_of_its_own_values():
    rng = np.random.default_rng(0)
    samples, logits = [], []
    for number in range(200):
        grade, arch = number % 3, number % 2
        logits.append([*(3 * np.eye(3)[grade] + rng.normal(0, 3, 3)), 3 * arch - 1.5 + rng.normal(0, 3)])
        labels = {"grade": str(grade), "arch": ("no", "yes")[arch] if number < 30 else None}
        samples.append(Sample("", None, f"s{number}", split="val", name=str(number), labels=labels))
    others = [Sample("", None, name, split=name, name=name, labels={"grade": "0"}) for name in ("train", "test")]
    cohort = Cohort("set", (*samples, *others))
    loaded = LoadedCohort(cohort, np.zeros((202, 1, 1), np.uint8), PreprocessingConfig())
    logits = np.array([*logits, [0] * 4, [0] * 4], np.float32)
    measured = MeasuredCohort(loaded, logits, logits, cohort)
    decisions = choose_decisions(TWO_LABELS, [measured], sensitivity=0.9)
    assert decisions["grade"].temperature > 1.2, "the network is overconfident"
    assert (decisions["grade"].sources, decisions["grade"].operating_point) == (200, 0.5)
    assert decisions["arch"].temperature == 1
    assert f"{MIN_SOURCES} distinct sources of each class" in decisions["arch"].note


def test_rare_combinations_of_labels_are_one_known_group():
    rng = np.random.default_rng(0)
    values = [{"grade": str(n % 2), "arch": "no"} for n in range(60)] + [{"grade": "2", "arch": None}] * 3
    samples = [
        Sample("", None, f"s{n}", split=("train", "val")[n % 3 == 0], name=str(n), labels=labels)
        for n, labels in enumerate(values)
    ]
    cohort = Cohort("set", tuple(samples))
    loaded = LoadedCohort(cohort, np.zeros((63, 1, 1), np.uint8), PreprocessingConfig())
    features = rng.normal(size=(63, 3)).astype(np.float32)
    statistics, _ = fit_rejection(TWO_LABELS, [MeasuredCohort(loaded, features, features, cohort)], seed=0)
    assert len(statistics.means) == 3


def test_novelty_rejects_at_most_its_share_of_each_collection(predictor):
    collections = [collection(200), collection(100, name="other", splits=("train", "val"), noise=0.05)]
    statistics, novelty = fit_rejection(TARGET, [measure(predictor, item, seed=0) for item in collections], seed=0)
    assert all(share <= REJECTED_SHARE for share in novelty.rejected.values())
    assert max(novelty.rejected.values()) > 0
    assert novelty.rejected_unseen.keys() == novelty.rejected.keys()
    assert sum(novelty.rejected_unseen.values()) >= sum(novelty.rejected.values()), "with limits from the other folds"
    stripes = np.tile(np.array([0, 255], np.uint8), (1, SIDE, SIDE // 2))
    assert statistics.distance(brightness(stripes[:, None] / 255).features)[0] > 5 * novelty.threshold


def test_a_network_without_features_is_an_error():
    blind = Predictor(BrightnessCheckpoint, lambda pixel_values: Output(brightness(pixel_values).logits, None))
    with pytest.raises(CheckpointError, match="no features"):
        measure(blind, collection(10), seed=0)


def test_an_unknown_image_keeps_its_probabilities(tiny_checkpoint, tmp_path):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))
    settings = json.loads((folder / "spinealign.json").read_text())
    rng = np.random.default_rng(0)
    odd = np.kron(rng.integers(0, 255, (32, 32)), np.ones((6, 6))).astype(np.uint8)
    prediction = Predictor.from_pretrained(folder)(odd)
    assert prediction.rejection_reasons == (prediction.rejection_reasons[0],)
    assert prediction.rejection_reasons[0].startswith("unknown to the model: novelty ")
    assert f"(limit {settings['novelty']['threshold']:.1f})" in prediction.rejection_reasons[0]
    assert not prediction.accepted
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    settings["novelty"]["threshold"] = 1e6
    (folder / "spinealign.json").write_text(json.dumps(settings))
    assert Predictor.from_pretrained(folder)(odd).accepted


def test_temperature_and_operating_point_are_applied(tiny_checkpoint, tmp_path, gray):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))
    plain = Predictor.from_pretrained(folder)(gray).probabilities
    settings = json.loads((folder / "spinealign.json").read_text())
    settings["decisions"]["label"] |= {"temperature": 2.0, "operating_point": 1e-6}
    (folder / "spinealign.json").write_text(json.dumps(settings))
    changed = Predictor.from_pretrained(folder)(gray)
    odds = plain["fracture"] / plain["normal"]
    assert changed.probabilities["fracture"] == pytest.approx(odds**0.5 / (1 + odds**0.5), abs=1e-6)
    assert (changed.label, changed.confidence) == ("fracture", changed.probabilities["fracture"])


@pytest.mark.parametrize(
    ("section", "content"),
    [
        ("decisions", {"label": {"temperature": 0}}),
        ("decisions", {"label": {"operating_point": 1.5}}),
        ("novelty", {"threshold": -1}),
    ],
)
def test_an_impossible_decision_is_a_typed_error(section, content, tiny_checkpoint, tmp_path):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))
    settings = json.loads((folder / "spinealign.json").read_text())
    settings[section] |= content
    (folder / "spinealign.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match=r"spinealign\.json"):
        Predictor.from_pretrained(folder)


@pytest.mark.parametrize("damage", [None, b"nonsense"])
def test_missing_or_damaged_statistics_are_a_typed_error(damage, tiny_checkpoint, tmp_path):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))
    if damage:
        (folder / "novelty.safetensors").write_bytes(damage)
    else:
        (folder / "novelty.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"novelty\.safetensors"):
        Predictor.from_pretrained(folder)


def test_an_inverted_model_gets_no_operating_point(predictor):
    loaded = collection(4 * MIN_SOURCES)
    swapped = tuple(
        replace(sample, label="normal" if sample.label == "fracture" else "fracture") for sample in loaded.cohort
    )
    turned = LoadedCohort(replace(loaded.cohort, samples=swapped), loaded.gray, loaded.config)
    chosen = decide(predictor, [turned])
    assert (chosen.temperature, chosen.operating_point, chosen.target_sensitivity) == (1.0, 0.5, None)
    assert "does not separate the classes" in chosen.note


def test_sources_in_two_splits_are_not_used_for_calibration(predictor):
    loaded = collection(4 * MIN_SOURCES)
    shared = tuple(
        replace(sample, source=sample.source.replace("val", "train")) if sample.split == "val" else sample
        for sample in loaded.cohort
    )
    leaking = LoadedCohort(replace(loaded.cohort, samples=shared), loaded.gray, loaded.config)
    assert decide(predictor, [leaking]).sources == 0


@pytest.mark.parametrize("features", [None, np.full((1, 2), np.nan), np.zeros((1, 3))])
def test_features_that_do_not_fit_the_statistics_are_errors(features):
    class WithNovelty(BrightnessCheckpoint):
        novelty = NoveltyStatistics(np.zeros((1, 2), np.float32), np.eye(2, dtype=np.float32))

    broken = Predictor(WithNovelty, lambda pixel_values: Output(brightness(pixel_values).logits, features))
    with pytest.raises(CheckpointError, match="novelty statistics"):
        broken(np.zeros((200, 200), np.uint8))


def test_an_image_is_run_through_the_network_once(predictor, monkeypatch):
    monkeypatch.setattr(decision, "MAX_REFERENCE", 30)
    rows = []

    def counted(pixel_values):
        rows.append(len(pixel_values))
        return brightness(pixel_values)

    measured = measure(Predictor(BrightnessCheckpoint, counted), collection(40), seed=0)
    assert sum(rows) == len(measured.loaded.cohort) == 30 + 40 + 40
    assert len(measured.part("train").logits) == 30
