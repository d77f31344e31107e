from __future__ import annotations

import json
import shutil

import onnx
import pytest

from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.errors import CheckpointError
from spinealign.hub.checks import check_checkpoint
from spinealign.hub.pushing import card_for


@pytest.fixture
def checkpoint(tmp_path, tiny_checkpoint):
    return shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))


def in_card(old, new):
    def write(folder):
        text = (folder / "README.md").read_text()
        assert old in text
        (folder / "README.md").write_text(text.replace(old, new))

    return write


def rewritten_metrics(change):
    def write(folder):
        content = json.loads((folder / "metrics.json").read_text())
        change(content)
        (folder / "metrics.json").write_text(json.dumps(content))

    return write


def truncated(name):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:100])


def in_two_files(folder):
    network = onnx.load(folder / "model.onnx")
    onnx.save(network, folder / "model.onnx", save_as_external_data=True, location="weights.data")


UNFIT = {
    "pickle": (lambda folder: (folder / "training_args.bin").write_bytes(b"x"), "training_args.bin: a Python pickle"),
    "optimizer": (lambda folder: (folder / "optimizer.pt").write_bytes(b"x"), "optimizer.pt: a Python pickle"),
    "no metrics": (lambda folder: (folder / "metrics.json").unlink(), "no metrics.json"),
    "no card": (lambda folder: (folder / "README.md").unlink(), "no README.md"),
    "no ONNX": (lambda folder: (folder / "model.onnx").unlink(), "no model.onnx"),
    "no torch weights": (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors"),
    "truncated ONNX": (truncated("model.onnx"), "not an ONNX model"),
    "truncated torch weights": (truncated("model.safetensors"), "model.safetensors is damaged"),
    "empty evaluations": (rewritten_metrics(lambda content: content.update(evaluations=[])), "no evaluation"),
    "metrics of something else": (
        rewritten_metrics(lambda content: content.pop("evaluations")), "missing fields: evaluations",
    ),
    "contradicting counts": (
        rewritten_metrics(lambda content: content["evaluations"][0].update(images=7)), "counts contradict",
    ),
    "a placeholder in the notes": (
        rewritten_metrics(lambda content: content.update(notes="Images: TODO")), "it contains 'TODO'",
    ),
    "a placeholder": (in_card("## Data\n", "## Data\n\n[More Information Needed]\n"), "More Information Needed"),
    "no disclaimer": (in_card("not a medical device", "a device"), "does not say that the model is not"),
    "a missing picture": (
        lambda folder: (folder / "evaluation.png").unlink(), "its picture evaluation.png is missing",
    ),
    "metadata that cannot be read": (in_card("tags:\n", "tags: [\n"), "metadata cannot be read"),
    "another task": (
        in_card("pipeline_tag: image-classification", "pipeline_tag: text-classification"),
        "pipeline_tag is not image-classification",
    ),
    "a card that is not text": (
        lambda folder: (folder / "README.md").write_bytes(b"\xff\xfe" + (folder / "README.md").read_bytes()),
        r"README\.md is not UTF-8",
    ),
    "weights in another file": (in_two_files, r"model\.onnx is damaged or has weights in another file"),
    "a plot that is not a picture": (
        lambda folder: (folder / "evaluation.png").write_bytes(b"words"), r"evaluation\.png is not a PNG",
    ),
    "no tag": (in_card("- spinealign\n", ""), "tags lack spinealign"),
    "another accuracy": (
        rewritten_metrics(lambda content: content["evaluations"][0]["scores"].update(accuracy=0.123)),
        r"lacks the accuracy on phantoms \(test\) of metrics.json",
    ),
    "an accuracy that is not a number": (
        in_card("type: accuracy\n      value: ", "type: accuracy\n      value: about "),
        "lacks the accuracy on phantoms",
    ),
    "another collection": (
        rewritten_metrics(lambda content: content["evaluations"][0].update(collection="others")),
        r"lacks the accuracy on others \(test\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "words"), UNFIT.values(), ids=UNFIT)
def test_an_incomplete_checkpoint_is_refused(checkpoint, monkeypatch, spoil, words):
    spoil(checkpoint)
    monkeypatch.chdir(checkpoint)  # the current folder is not published either
    with pytest.raises(CheckpointError, match=words):
        check_checkpoint(checkpoint)


def test_a_card_with_a_byte_order_mark_is_read(checkpoint):
    card = checkpoint / "README.md"
    card.write_bytes(b"\xef\xbb\xbf" + card.read_bytes())
    check_checkpoint(checkpoint)


def test_all_gaps_are_listed_at_once(checkpoint):
    in_card("not a medical device", "a device TBD")(checkpoint)
    in_card("- spinealign\n", "")(checkpoint)
    with pytest.raises(CheckpointError, match=r"TBD.*tags lack.*medical device.*Fill them"):
        check_checkpoint(checkpoint)


def test_a_trained_checkpoint_can_be_pushed(any_checkpoint):
    check_checkpoint(any_checkpoint)


def test_an_edited_card_can_be_pushed(checkpoint):
    text = (checkpoint / "README.md").read_text()
    edited = text.replace("For research and teaching", "For teaching") + "\n## Ethics\n\nApproved.\n"
    (checkpoint / "README.md").write_text(edited)
    check_checkpoint(checkpoint)


def test_a_shortened_card_is_refused(checkpoint):
    text = (checkpoint / "README.md").read_text()
    (checkpoint / "README.md").write_text(text[: text.index("## Failure cases")])
    with pytest.raises(CheckpointError, match=r"lacks \d+ headings, table rows or numbers, .* '## Failure cases'"):
        check_checkpoint(checkpoint)


@pytest.mark.parametrize("name", ["name", "training", "collections"])
def test_an_incomplete_record_is_refused(checkpoint, name):
    rewritten_metrics(lambda content: content.pop(name))(checkpoint)
    with pytest.raises(CheckpointError, match=f"has no {name}"):
        check_checkpoint(checkpoint)


@pytest.mark.parametrize("name", ["temperature", "threshold"])
def test_a_card_that_contradicts_the_settings_is_refused(checkpoint, name):
    content = json.loads((checkpoint / "spinealign.json").read_text())
    (content["decisions"]["label"] if name == "temperature" else content["novelty"])[name] = 9.0
    (checkpoint / "spinealign.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"lacks 1 headings, table rows or numbers, such as '\*\*9\.0"):
        check_checkpoint(checkpoint)


def test_the_examples_load_the_model_from_the_hub():
    text = (DEFAULT_FOLDER / "README.md").read_text()
    page = card_for("org/name", text)
    assert page.count('model="org/name"') == text.count('model="path/to/spinealign-default"') == 2
    assert page.replace('model="org/name"', 'model="path/to/spinealign-default"') == text


def test_a_repository_name_is_not_a_pattern():
    assert card_for(r"a/b\1", 'predict("x", model="path/to/y")') == r'predict("x", model="a/b\1")'
