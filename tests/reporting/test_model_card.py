from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace

import numpy as np
import pytest
from conftest import evaluate_finding, evaluate_kind
from huggingface_hub import ModelCard

from spinealign.checkpoint.record import CollectionRecord, ModelRecord, TrainingRecord
from spinealign.checkpoint.settings import ModelSettings
from spinealign.config import NoveltyConfig
from spinealign.labels import binary_target
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.evidence import Evidence
from spinealign.metrics.registry import format_interval, format_score, percent, score_title
from spinealign.reporting.model_card import render_card
from spinealign.training.describing import command_line
from spinealign.training.setup import parse_training_setup

HEADINGS = (
    "What was measured", "How to use", "Intended use and misuse", "Calibration and operating point",
    "What it does not know", "Failure cases", "Data", "Training", "Checklist",
)  # fmt: skip

SETTINGS = ModelSettings(
    target=binary_target("normal", "fracture"), novelty=NoveltyConfig(3.0, {"set": 0.04}, {"set": 0.05}, sources=8)
)


def record(collection="set", **changes):
    """Return a record with a single collection."""
    positive = np.arange(8) % 2 == 0
    evidence = Evidence(collection, "val", list("abcdefgh"), size_mm=np.where(positive, 3.5, np.nan))
    evaluation = evaluate_finding(positive, np.where(positive, 0.9, 0.2), evidence=evidence, draws=20)
    found = ModelRecord(
        (replace(evaluation, accepted=replace(evaluation, split="val, accepted")),),
        name="model",
        collections=(CollectionRecord(collection, {"train": (8, 4)}, ("A sentence.",), leaks=1, dropped=2),),
        training=TrainingRecord("org/vit", command="spinealign train"),
        environment={"python": "3.11", "numpy": "2.4"},
    )
    return replace(found, **changes)


def tables(card):
    """Return the number of cells in each row of each table."""
    blocks = re.findall(r"(?:^\|.*\n)+", card, flags=re.MULTILINE)
    return [[len(re.findall(r"(?<!\\)\|", line)) - 1 for line in block.splitlines()] for block in blocks]


def test_every_section_is_there_once_and_in_order():
    found = re.findall(r"^## (.*)$", render_card(record(), SETTINGS), flags=re.MULTILINE)
    assert tuple(found) == HEADINGS


@pytest.mark.parametrize("kind", ["multi_class", "ordinal", "multi_label", "mixed"])
def test_a_card_describes_every_kind(kind):
    target, measured = evaluate_kind(kind)
    card = render_card(record(evaluations=(measured,)), ModelSettings(target=target))
    assert tuple(re.findall(r"^## (.*)$", card, flags=re.MULTILINE)) == HEADINGS
    assert all(len(set(rows)) == 1 for rows in tables(card)), "each row of a table has the same number of cells"
    assert "fracture" not in card
    for label in target.labels:
        assert all(name in card for name in label.classes)
    results = ModelCard(card).data.eval_results
    configs = [None, *(label.name for label in target.labels)] if target.has_several else [None]
    assert list(dict.fromkeys(result.dataset_config for result in results)) == configs
    accuracies = [result.metric_value for result in results if result.metric_type == "accuracy"]
    parts = (measured, *measured.parts) if target.has_several else (measured,)
    assert accuracies == pytest.approx([part.scores["accuracy"] for part in parts], abs=1e-6)
    assert ("are not probabilities of grades" in card) == (kind == "mixed")


def test_the_same_record_gives_the_same_card():
    content = json.loads(json.dumps(record().to_dict()))
    assert render_card(record(), SETTINGS) == render_card(ModelRecord.from_dict(content), SETTINGS)


def test_special_characters_in_names_break_no_table():
    hostile = "a|b\n\n## c\r\n| d | `e` [f](g) <script>"
    card = render_card(record(hostile), SETTINGS)
    assert tables(card) == tables(render_card(record(), SETTINGS))
    assert tuple(re.findall(r"^## (.*)$", card, flags=re.MULTILINE)) == HEADINGS
    assert ModelCard(card).data.eval_results[0].dataset_name == hostile
    assert "<script>" not in ModelCard(card).text.replace("\\<script\\>", "")


def test_the_positive_class_is_named_and_never_assumed():
    evaluation = replace(record().evaluations[0], positive="dislocation", classes=("normal", "dislocation"))
    target = binary_target("normal", "dislocation")
    card = render_card(record(evaluations=(evaluation,)), replace(SETTINGS, target=target))
    assert "classified as dislocation" in card
    assert "fracture" not in card


def test_notes_of_the_owner_are_included_unchanged():
    notes = "## Origin\n\n| a | b |\n|---|---|\n| `c` | [d](e) |"
    assert f"\n\n{notes}\n\n## How to use" in render_card(record(notes=notes), SETTINGS)


def test_a_card_without_optional_parts_has_no_gaps():
    evaluation = replace(record().evaluations[0], accepted=None, sensitivity_by_size=())
    card = render_card(
        record(evaluations=(evaluation,), collections=()), ModelSettings(target=binary_target("normal", "fracture"))
    )
    assert "\n\n\n" not in card
    assert "sensitivity_by_size.png" not in card
    assert "does not reject images as unknown" in card


def test_blocks_are_separated_by_single_blank_lines():
    card = render_card(record(), SETTINGS)
    assert "\n\n\n" not in card
    assert not re.search(r"\n(?!\|)[^\n]+\n\|", card), "a table needs a blank line before it"


def test_a_record_without_training_has_no_card():
    with pytest.raises(ValueError, match="does not say how the model was trained"):
        render_card(record(training=None), SETTINGS)


def numbers_of(folder):
    return json.loads((folder / "metrics.json").read_text())["evaluations"]


def test_the_card_agrees_with_the_metrics(tiny_checkpoint):
    card = ModelCard.load(tiny_checkpoint / "README.md")
    evaluation = numbers_of(tiny_checkpoint)[0]
    published = {result.metric_type: result.metric_value for result in card.data.eval_results}
    for name, hub_name in (("accuracy", "accuracy"), ("sensitivity", "recall"), ("auroc", "roc_auc")):
        assert published[hub_name] == pytest.approx(evaluation["scores"][name], abs=1e-6)
    assert f"| {percent(evaluation['scores']['accuracy'])} |" in card.text
    assert f"| {percent(evaluation['thumbnail_ridge']['scores']['accuracy'])} |" in card.text
    assert f"| {evaluation['images']} | {evaluation['sources']} |" in card.text


def test_a_published_score_has_sample_size_and_baseline(tiny_checkpoint):
    card = ModelCard.load(tiny_checkpoint / "README.md")
    assert all("12 images of 12 distinct sources" in result.metric_name for result in card.data.eval_results)
    assert all("thumbnail ridge" in result.metric_name for result in card.data.eval_results)
    assert {"spinealign", "onnx"} <= set(card.data.tags)
    assert card.data.pipeline_tag == "image-classification"


def test_the_card_has_the_disclaimer_and_its_pictures(tiny_checkpoint):
    text = (tiny_checkpoint / "README.md").read_text()
    assert "not a medical device" in " ".join(text.split())
    for picture in ("learning_curves.png", "sensitivity_by_size.png", "evaluation.png"):
        assert f"]({picture})" in text
        assert (tiny_checkpoint / picture).is_file()


def test_every_score_is_published_and_printed(tiny_checkpoint):
    card = ModelCard.load(tiny_checkpoint / "README.md")
    evaluation = Evaluation.from_dict(numbers_of(tiny_checkpoint)[0])
    published = {result.metric_name.split(" (")[0]: result.metric_value for result in card.data.eval_results}
    for name, value in evaluation.scores.items():
        title = score_title(name)
        assert (title in published) == (value is not None)
        if value is not None:
            assert published[title] == pytest.approx(value, abs=1e-6)
        shown = "not defined" if value is None else format_score(name, value)
        row = f"| {title} | {shown} | {format_interval(name, evaluation.intervals[name])} | "
        assert row + format_interval(name, evaluation.naive_intervals[name]) in card.text


def test_the_card_states_decision_novelty_and_audit(tiny_checkpoint):
    text = (tiny_checkpoint / "README.md").read_text()
    settings = json.loads((tiny_checkpoint / "spinealign.json").read_text())
    metrics = json.loads((tiny_checkpoint / "metrics.json").read_text())
    assert f"temperature of **{settings['decisions']['label']['temperature']:.3f}**" in text
    assert f"exceeds **{settings['novelty']['threshold']:.2f}**" in text
    assert settings["decisions"]["label"]["note"] in text
    for sentence in metrics["collections"][0]["verdict"]:
        assert f"audit: {sentence}" in text


def test_the_checklist_marks_unknown_items(tiny_checkpoint):
    text = (tiny_checkpoint / "README.md").read_text()
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text[text.index("## Checklist") :], flags=re.MULTILINE))
    assert rows["Ethics approval, consent"] == "not reported"
    assert rows["Patients in the evaluation"] == "not reported"
    assert "12 sources in 12 images" in rows["Sample size"]
    assert sum(answer == "not reported" for answer in rows.values()) >= 8


def test_the_command_of_the_card_repeats_the_training(tiny_checkpoint, phantom_folder, tiny_backbone):
    text = (tiny_checkpoint / "README.md").read_text()
    (command,) = re.findall(r"^spinealign train .*$", text, flags=re.MULTILINE)
    told = parse_training_setup(shlex.split(command)[2:])
    assert (told.data.data_dir, told.model.model_name_or_path) == ([phantom_folder.name], tiny_backbone.name)
    assert (told.model.from_scratch, told.training.num_train_epochs) == (True, 2)
    assert told.training.per_device_train_batch_size == 8
    assert str(phantom_folder.parent) not in text, "the command has no path"


def test_the_command_has_every_changed_setting(tmp_path):
    words = [
        *(
            "--data_dir",
            "org/set",
            "--backbone",
            "org/vit",
            "--folds",
            "3",
            "--balance",
            "False",
            "--zoom",
            "0.12345678",
        ),
        *("--output_dir", str(tmp_path), "--gradient_accumulation_steps", "2", "--adam_beta2", "0.98", "--seed", "7"),
        *("--use_cpu", "--label_smoothing_factor", "0.05", "--optim", "adafactor", "--lr_scheduler_type", "linear"),
        *(
            "--load_best_model_at_end",
            "False",
            "--lr_scheduler_kwargs",
            '{"last_epoch": 4}',
            "--warmup_steps",
            "0",
            "--run_name",
            "of-a-patient",
        ),
    ]
    command = command_line(parse_training_setup(words))
    told, meant = parse_training_setup(shlex.split(command)[2:]), parse_training_setup(words)
    assert (told.data, told.model, told.augmentation) == (meant.data, meant.model, meant.augmentation)
    for name in ("gradient_accumulation_steps", "adam_beta2", "seed", "use_cpu", "label_smoothing_factor", "optim",
                 "lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps", "load_best_model_at_end"):  # fmt: skip
        assert getattr(told.training, name) == getattr(meant.training, name)
    assert str(tmp_path) not in command
    assert "of-a-patient" not in command
    assert command.count("--") == len([word for word in words if word.startswith("--")]) - 2, "defaults are left out"
