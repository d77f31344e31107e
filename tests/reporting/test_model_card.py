from __future__ import annotations

import json
import re
import shlex

import pytest
from huggingface_hub import ModelCard

from spinealign.metrics.evaluation import Evaluation, percent
from spinealign.reporting.card_sections import command_line
from spinealign.reporting.evaluation_text import SCORE_TITLES, format_interval, format_score
from spinealign.training.arguments import parse_training_setup


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


def test_a_published_accuracy_names_the_sources_that_it_rests_on(tiny_checkpoint):
    card = ModelCard.load(tiny_checkpoint / "README.md")
    assert all("12 images of 12 distinct sources" in result.metric_name for result in card.data.eval_results)
    assert all("thumbnail ridge" in result.metric_name for result in card.data.eval_results)
    assert {"spinealign", "onnx"} <= set(card.data.tags)
    assert card.data.pipeline_tag == "image-classification"


def test_the_card_says_what_it_is_not_and_shows_its_pictures(tiny_checkpoint):
    text = (tiny_checkpoint / "README.md").read_text()
    assert "not a medical device" in " ".join(text.split())
    for picture in ("learning_curves.png", "sensitivity_by_size.png", "evaluation.png"):
        assert f"]({picture})" in text
        assert (tiny_checkpoint / picture).is_file()


def test_every_score_of_the_metrics_is_published_and_printed_with_both_intervals(tiny_checkpoint):
    card = ModelCard.load(tiny_checkpoint / "README.md")
    evaluation = Evaluation.from_dict(numbers_of(tiny_checkpoint)[0])
    published = {result.metric_name.split(" (")[0]: result.metric_value for result in card.data.eval_results}
    for name, value in evaluation.scores.to_dict().items():
        title = SCORE_TITLES[name]
        assert (title in published) == (value is not None)
        if value is not None:
            assert published[title] == pytest.approx(value, abs=1e-6)
        row = f"| {title} | {format_score(name, value)} | {format_interval(name, evaluation.intervals[name])} | "
        assert row + format_interval(name, evaluation.naive_intervals[name]) in card.text


@pytest.mark.parametrize(
    "heading",
    ["What was measured", "Intended use and misuse", "Calibration and operating point", "What it does not know",
     "Failure cases", "Data", "Training", "How to use", "Checklist"],
)  # fmt: skip
def test_the_card_has_every_section(tiny_checkpoint, heading):
    assert f"\n## {heading}\n" in (tiny_checkpoint / "README.md").read_text()


def test_the_card_says_the_decision_that_travels_with_the_weights(tiny_checkpoint):
    text = (tiny_checkpoint / "README.md").read_text()
    settings = json.loads((tiny_checkpoint / "spinealign.json").read_text())
    metrics = json.loads((tiny_checkpoint / "metrics.json").read_text())
    assert metrics["decision"] == settings["decision"]
    assert metrics["novelty"] == settings["novelty"]
    assert f"temperature of **{settings['decision']['temperature']:.3f}**" in text
    assert f"exceeds **{settings['novelty']['threshold']:.2f}**" in text
    assert settings["decision"]["note"] in text
    for sentence in metrics["audits"]["phantoms"]:
        assert f"audit: {sentence}" in text


def test_the_checklist_marks_what_is_not_known(tiny_checkpoint):
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
    assert str(phantom_folder.parent) not in text, "no path of the machine"


def test_the_command_tells_every_setting_that_differs_from_its_default(tmp_path):
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
    assert command.count("--") == len([word for word in words if word.startswith("--")]) - 2, "nothing but what differs"
