from __future__ import annotations

import json
import shutil

import pytest

from spinealign import Predictor
from spinealign.checkpoint.finding import DEFAULT_MODEL, Checkpoint, find_checkpoint
from spinealign.config import ConditioningConfig
from spinealign.errors import CheckpointError


@pytest.fixture
def checkpoint(tmp_path, tiny_checkpoint):
    return shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))


def test_nothing_stands_for_the_embedded_model():
    assert find_checkpoint().model == DEFAULT_MODEL
    assert find_checkpoint().labels == ("normal", "fracture")


def without(name):
    return lambda folder: (folder / name).unlink()


def rewritten(name, change):
    def write(folder):
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return write


def no_weights(folder):
    without("model.onnx")(folder)
    without("model.safetensors")(folder)


def without_settings(folder):
    without("spinealign.json")(folder)
    without("preprocessor_config.json")(folder)


def truncated_weights(folder):
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])


def other_network(folder):
    rewritten("config.json", lambda content: content.update(hidden_size=64))(folder)


def no_such_network(folder):
    rewritten("config.json", lambda content: content.update(model_type="none-of-these"))(folder)


BAD_CHECKPOINTS = {
    "without config": (without("config.json"), "no config.json"),
    "with a pickle": (lambda folder: (folder / "pytorch_model.bin").write_bytes(b"x"), "pickle"),
    "with training arguments": (lambda folder: (folder / "training_args.bin").write_bytes(b"x"), "training_args.bin"),
    "without weights": (no_weights, "neither model.onnx nor model.safetensors"),
    "config that is no JSON": (lambda folder: (folder / "config.json").write_text("{"), "damaged"),
    "config that is a list": (lambda folder: (folder / "config.json").write_text("[]"), "damaged"),
    "config without classes": (rewritten("config.json", lambda content: content.pop("id2label")), "id2label"),
    "config with odd classes": (rewritten("config.json", lambda c: c.update(id2label={"a": "b"})), "id2label"),
    "config with one class twice": (
        rewritten("config.json", lambda c: c.update(id2label={"0": "fracture", "1": "fracture"})), "id2label",
    ),
    "config with a gap": (rewritten("config.json", lambda c: c.update(id2label={"0": "a", "5": "b"})), "id2label"),
    "config that is too deep": (lambda folder: (folder / "config.json").write_text("[" * 100_000), "damaged"),
    "settings of an infinite release": (
        rewritten("spinealign.json", lambda c: c.update(format_version=float("inf"))), "damaged",
    ),
    "config with other classes": (
        rewritten("config.json", lambda c: c.update(id2label={"0": "a", "1": "b", "2": "c"})), "names 3 classes",
    ),
    "damaged ONNX": (lambda folder: (folder / "model.onnx").write_bytes(b"nonsense"), "no ONNX model"),
    "settings that are no JSON": (lambda folder: (folder / "spinealign.json").write_text("x"), "damaged"),
    "settings that are no text": (lambda folder: (folder / "spinealign.json").write_bytes(b"\xff\xfe\xff"), "damaged"),
    "settings without content": (lambda folder: (folder / "spinealign.json").write_text("{}"), "damaged"),
    "settings out of range": (
        rewritten("spinealign.json", lambda c: c["conditioning"].update(window_width=-1)), "window_width",
    ),
    "settings of a newer release": (rewritten("spinealign.json", lambda c: c.update(format_version=99)), "upgrade"),
    "an input that the network does not take": (
        rewritten("spinealign.json", lambda c: c["conditioning"].update(image_size=96)), "does not take an input",
    ),
    "an input size that is no whole number": (
        rewritten("spinealign.json", lambda c: c["conditioning"].update(image_size=64.5)), "whole number",
    ),
    "an interpolation that is not known": (
        rewritten("spinealign.json", lambda c: c["conditioning"].update(resample=99)), "resample",
    ),
    "without any settings": (without_settings, "preprocessor_config.json"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "words"), BAD_CHECKPOINTS.values(), ids=BAD_CHECKPOINTS)
def test_a_checkpoint_that_cannot_be_used_says_why(checkpoint, gray, spoil, words):
    spoil(checkpoint)
    with pytest.raises(CheckpointError, match=words) as caught:
        Predictor.from_pretrained(checkpoint)(gray)
    assert str(checkpoint.parent) not in str(caught.value), "who reads it need not know the folders of this machine"


@pytest.mark.parametrize("spoil", [truncated_weights, other_network, no_such_network])
def test_a_message_about_the_weights_of_the_torch_engine_names_no_folder_of_this_machine(checkpoint, spoil):
    spoil(checkpoint)
    with pytest.raises(CheckpointError, match="model") as caught:
        Predictor.from_pretrained(checkpoint, engine="torch")
    assert str(checkpoint.parent) not in str(caught.value)


def test_a_checkpoint_is_called_by_the_last_part_of_its_folder_by_its_id_or_as_embedded(checkpoint, monkeypatch):
    assert find_checkpoint().name == DEFAULT_MODEL
    assert Checkpoint(checkpoint, "owner/name@0123").name == "owner/name@0123"
    assert find_checkpoint(f"{checkpoint}/").name == "model"
    monkeypatch.chdir(checkpoint)
    assert find_checkpoint(".").name == "model"


def test_settings_of_a_later_minor_release_are_read_as_far_as_they_are_known(checkpoint, gray):
    rewritten("spinealign.json", lambda content: content["conditioning"].update(sharpen="yes"))(checkpoint)
    assert Predictor.from_pretrained(checkpoint)(gray).label in ("fracture", "normal")


def test_a_plain_classifier_of_the_hub_is_served_by_its_preprocessor(checkpoint, gray):
    expected = Predictor.from_pretrained(checkpoint)(gray).probabilities
    (checkpoint / "spinealign.json").unlink()
    plain = Predictor.from_pretrained(checkpoint)
    assert plain.conditioning == ConditioningConfig.from_preprocessor(
        json.loads((checkpoint / "preprocessor_config.json").read_text())
    )
    assert plain(gray).probabilities == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["no/such/folder", "nothing", "http://example.com/model", "a/../../b", "x" * 300])
def test_a_name_that_is_neither_folder_nor_hub_id_is_refused(name):
    with pytest.raises(CheckpointError, match="no Hub id"):
        find_checkpoint(name)


def test_a_model_that_is_not_in_the_cache_says_so_where_the_hub_may_not_be_asked():
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE forbids to ask the Hub, and the cache has not all of it"):
        find_checkpoint("spinealign/there-is-no-such-model")


@pytest.mark.parametrize("embedded", [True, False])
def test_what_does_not_come_from_the_hub_has_no_revision(checkpoint, embedded):
    model = None if embedded else checkpoint
    with pytest.raises(CheckpointError, match=r"not on the Hub, so it has no revision 'v9'"):
        Predictor.from_pretrained(model, "v9")
    with pytest.raises(ValueError, match="revision is empty"):
        Predictor.from_pretrained(model, "")
