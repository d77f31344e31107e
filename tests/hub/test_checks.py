from __future__ import annotations

import json
import shutil

import onnx
import pytest

from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.errors import CheckpointError
from spinealign.hub.checks import check_checkpoint


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


def without_section(folder):
    text = (folder / "README.md").read_text()
    start, end = text.index("## Failure cases\n"), text.index("## Data\n")
    (folder / "README.md").write_text(text[:start] + "## Failure cases\n\n" + text[end:])


def truncated(name):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:100])


def in_two_files(folder):
    network = onnx.load(folder / "model.onnx")
    onnx.save(network, folder / "model.onnx", save_as_external_data=True, location="weights.data")


UNFIT = {
    "pickle": (lambda folder: (folder / "training_args.bin").write_bytes(b"x"), "training_args.bin: a Python pickle"),
    "optimiser": (lambda folder: (folder / "optimizer.pt").write_bytes(b"x"), "optimizer.pt: a Python pickle"),
    "no evaluation": (lambda folder: (folder / "metrics.json").unlink(), "no metrics.json"),
    "no card": (lambda folder: (folder / "README.md").unlink(), "no README.md"),
    "no ONNX": (lambda folder: (folder / "model.onnx").unlink(), "no model.onnx"),
    "no torch weights": (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors"),
    "half the ONNX": (truncated("model.onnx"), "no ONNX model"),
    "half the torch weights": (truncated("model.safetensors"), "model.safetensors .* is damaged"),
    "nothing measured": (rewritten_metrics(lambda content: content.update(evaluations=[])), "no evaluation"),
    "metrics of something else": (rewritten_metrics(lambda content: content.pop("evaluations")), "no evaluation"),
    "an empty section": (without_section, "the section 'Failure cases' is missing or empty"),
    "a placeholder": (in_card("## Data\n", "## Data\n\n[More Information Needed]\n"), "More Information Needed"),
    "no warning": (in_card("not a medical device", "a device"), "does not say that the model is not a medical device"),
    "a picture that is not there": (
        lambda folder: (folder / "evaluation.png").unlink(), "its picture evaluation.png is not there",
    ),
    "metadata that cannot be read": (in_card("tags:\n", "tags: [\n"), "metadata cannot be read"),
    "another task": (
        in_card("pipeline_tag: image-classification", "pipeline_tag: text-classification"),
        "pipeline_tag is not image-classification",
    ),
    "a card that is no text": (
        lambda folder: (folder / "README.md").write_bytes(b"\xff\xfe" + (folder / "README.md").read_bytes()),
        r"README\.md is no text in UTF-8",
    ),
    "weights in another file": (in_two_files, r"model\.onnx .* keeps weights in another file"),
    "a plot that is no picture": (
        lambda folder: (folder / "evaluation.png").write_bytes(b"words"), r"evaluation\.png is no PNG",
    ),
    "no tag": (in_card("- spinealign\n", ""), "do not name spinealign"),
    "another accuracy": (
        rewritten_metrics(lambda content: content["evaluations"][0]["scores"].update(accuracy=0.123)),
        r"accuracy on phantoms \(test\) is not the measured one",
    ),
    "another collection": (
        rewritten_metrics(lambda content: content["evaluations"][0].update(collection="others")),
        r"no accuracy on others \(test\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "words"), UNFIT.values(), ids=UNFIT)
def test_a_checkpoint_that_others_could_not_judge_is_refused(checkpoint, monkeypatch, spoil, words):
    spoil(checkpoint)
    monkeypatch.chdir(checkpoint)  # what lies in the folder of the process does not go up either
    with pytest.raises(CheckpointError, match=words):
        check_checkpoint(checkpoint)


def test_a_card_with_a_byte_order_mark_is_read(checkpoint):
    card = checkpoint / "README.md"
    card.write_bytes(b"\xef\xbb\xbf" + card.read_bytes())
    check_checkpoint(checkpoint)


def test_all_gaps_are_named_at_once(checkpoint):
    in_card("not a medical device", "a device")(checkpoint)
    without_section(checkpoint)
    with pytest.raises(CheckpointError, match=r"Failure cases.*medical device.*Fill them"):
        check_checkpoint(checkpoint)


def test_what_a_training_writes_and_what_is_embedded_can_be_pushed(checkpoint):
    check_checkpoint(checkpoint)
    check_checkpoint(DEFAULT_FOLDER)
