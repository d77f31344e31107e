from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from loopback.versions import as_version_1

from spinealign import Predictor
from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.engines import load_engine
from spinealign.checkpoint.finding import DEFAULT_FOLDER, DEFAULT_MODEL, find_checkpoint
from spinealign.checkpoint.record import ModelRecord
from spinealign.config import PreprocessingConfig
from spinealign.errors import CheckpointError
from spinealign.labels import Label, Target, binary_target
from spinealign.writing import replaced_together


@pytest.fixture
def checkpoint(tmp_path, tiny_checkpoint):
    return shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))


def test_none_is_the_embedded_model():
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
    "config that is not JSON": (lambda folder: (folder / "config.json").write_text("{"), "damaged"),
    "config that is a list": (lambda folder: (folder / "config.json").write_text("[]"), "damaged"),
    "config without classes": (rewritten("config.json", lambda content: content.pop("id2label")), "id2label"),
    "config with odd classes": (rewritten("config.json", lambda c: c.update(id2label={"a": "b"})), "id2label"),
    "config with one class twice": (
        rewritten("config.json", lambda c: c.update(id2label={"0": "fracture", "1": "fracture"})), "id2label",
    ),
    "config with a gap": (rewritten("config.json", lambda c: c.update(id2label={"0": "a", "5": "b"})), "id2label"),
    "config that is too deep": (lambda folder: (folder / "config.json").write_text("[" * 100_000), "damaged"),
    "settings of an infinite release": (
        rewritten("spinealign.json", lambda c: c.update(format_version=float("inf"))), "format_version",
    ),
    "config with other classes": (
        rewritten("config.json", lambda c: c.update(id2label={"0": "a", "1": "b", "2": "c"})), "names a, b, c",
    ),
    "damaged ONNX": (lambda folder: (folder / "model.onnx").write_bytes(b"nonsense"), "ONNX model; train it again"),
    "settings that are not JSON": (lambda folder: (folder / "spinealign.json").write_text("x"), "damaged"),
    "settings that are not text": (lambda folder: (folder / "spinealign.json").write_bytes(b"\xff\xfe\xff"), "damaged"),
    "settings without content": (lambda folder: (folder / "spinealign.json").write_text("{}"), "format_version"),
    "settings out of range": (
        rewritten("spinealign.json", lambda c: c["preprocessing"].update(window_width=-1)), "window_width",
    ),
    "settings of a newer release": (rewritten("spinealign.json", lambda c: c.update(format_version=99)), "upgrade"),
    "an input that the network does not take": (
        rewritten("spinealign.json", lambda c: c["preprocessing"].update(image_size=96)), "does not take an input",
    ),
    "an input size that is not a whole number": (
        rewritten("spinealign.json", lambda c: c["preprocessing"].update(image_size=64.5)), "expected int",
    ),
    "an interpolation that is not known": (
        rewritten("spinealign.json", lambda c: c["preprocessing"].update(resample=99)), "resample",
    ),
    "settings of an unknown task": (
        rewritten("spinealign.json", lambda c: c.update(task="vertebrae")), "pip install --upgrade",
    ),
    "without novelty statistics": (without("novelty.safetensors"), "copied in part; train it again or copy it again"),
    "without any settings": (without_settings, "preprocessor_config.json"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "words"), BAD_CHECKPOINTS.values(), ids=BAD_CHECKPOINTS)
def test_a_checkpoint_that_cannot_be_used_says_why(checkpoint, gray, spoil, words):
    spoil(checkpoint)
    with pytest.raises(CheckpointError, match=words) as caught:
        Predictor.from_pretrained(checkpoint)(gray)
    assert str(checkpoint.parent) not in str(caught.value), "messages name no folders of this machine"


@pytest.mark.parametrize("spoil", [truncated_weights, other_network, no_such_network])
def test_messages_about_torch_weights_name_no_folder(checkpoint, spoil):
    spoil(checkpoint)
    with pytest.raises(CheckpointError, match="model") as caught:
        Predictor.from_pretrained(checkpoint, engine="torch")
    assert str(checkpoint.parent) not in str(caught.value)


def test_a_checkpoint_is_named_by_its_folder_or_hub_id(checkpoint, monkeypatch):
    assert find_checkpoint().name == DEFAULT_MODEL
    assert Checkpoint(checkpoint, "owner/name@0123").name == "owner/name@0123"
    assert find_checkpoint(f"{checkpoint}/").name == "model"
    monkeypatch.chdir(checkpoint)
    assert find_checkpoint(".").name == "model"


def test_unknown_settings_are_ignored(checkpoint, gray):
    rewritten("spinealign.json", lambda content: content["preprocessing"].update(sharpen="yes"))(checkpoint)
    assert Predictor.from_pretrained(checkpoint)(gray).label in ("fracture", "normal")


def test_a_plain_classifier_uses_its_preprocessor_config(checkpoint, gray):
    expected = Predictor.from_pretrained(checkpoint)(gray).probabilities
    (checkpoint / "spinealign.json").unlink()
    plain = Predictor.from_pretrained(checkpoint)
    assert plain.preprocessing == PreprocessingConfig.from_preprocessor(
        json.loads((checkpoint / "preprocessor_config.json").read_text())
    )
    assert plain(gray).probabilities == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["no/such/folder", "nothing", "http://example.com/model", "a/../../b", "x" * 300])
def test_a_name_that_is_neither_folder_nor_hub_id_is_refused(name):
    with pytest.raises(CheckpointError, match="not a Hub id"):
        find_checkpoint(name)


def test_offline_mode_names_its_variable():
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE"):
        find_checkpoint("spinealign/there-is-no-such-model")


@pytest.mark.parametrize("embedded", [True, False])
def test_a_local_checkpoint_has_no_revision(checkpoint, embedded):
    model = None if embedded else checkpoint
    with pytest.raises(CheckpointError, match=r"not on the Hub, so it has no revision 'v9'"):
        Predictor.from_pretrained(model, revision="v9")
    with pytest.raises(ValueError, match="revision is empty"):
        Predictor.from_pretrained(model, revision="")


def test_version_1_gives_the_same_predictions(checkpoint, gray):
    expected = Predictor.from_pretrained(checkpoint)(gray)
    assert "conditioning" in json.loads((as_version_1(checkpoint) / "spinealign.json").read_text())
    predictor = Predictor.from_pretrained(checkpoint)
    assert predictor(gray) == expected
    assert predictor.checkpoint.target == binary_target("normal", "fracture")


NARROWING = Label("narrowing", "binary", ("0", "1"), "1")


@pytest.mark.parametrize(
    ("config", "target"),
    [
        (
            {"id2label": {"0": "Abnormal", "1": "clear"}},
            Target("binary", (Label("label", "binary", ("Abnormal", "clear"), "Abnormal"),)),
        ),
        ({"id2label": {"0": "a", "1": "b"}}, Target("multi_class", (Label("label", "multi_class", ("a", "b")),))),
        (
            {"id2label": {"0": "a", "1": "b", "2": "c"}, "problem_type": None},
            Target("multi_class", (Label("label", "multi_class", ("a", "b", "c")),)),
        ),
        (
            {"id2label": {"0": "narrowing"}, "problem_type": "multi_label_classification"},
            Target("multi_label", (NARROWING,)),
        ),
    ],
    ids=["two classes with a finding", "two classes", "three classes", "multi-label"],
)
def test_the_target_of_a_plain_checkpoint_is_inferred(tmp_path, config, target):
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "preprocessor_config.json").write_text("{}")
    assert Checkpoint(tmp_path, "plain").target == target


def test_a_plain_checkpoint_with_one_class_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "score"}}))
    with pytest.raises(CheckpointError, match="at least two distinct classes"):
        _ = Checkpoint(tmp_path, "plain").target


def test_a_plain_regression_model_is_refused(tmp_path):
    names = {"0": "angle", "1": "grade"}
    (tmp_path / "config.json").write_text(json.dumps({"id2label": names, "problem_type": "regression"}))
    with pytest.raises(CheckpointError, match="problem_type is regression; choose a classifier"):
        _ = Checkpoint(tmp_path, "plain").target


def test_the_record_is_read_in_both_versions(checkpoint):
    record = find_checkpoint(checkpoint).record
    assert record.training.backbone == "tiny-vit"
    assert [item.collection for item in record.evaluations] == [item.name for item in record.collections]
    old = find_checkpoint(as_version_1(checkpoint))
    assert [item.scores for item in old.record.evaluations] == [item.scores for item in record.evaluations]
    assert old.record.training is None


DAMAGED_RECORDS = {
    "cut off": lambda content: json.dumps(content)[:-50],
    "a list": lambda content: json.dumps([content]),
    "without evaluations": lambda content: "{}",
    "null for evaluations": lambda content: json.dumps({"evaluations": None}),
    "contradicting counts": lambda content: json.dumps({"evaluations": [{**content["evaluations"][0], "images": 1}]}),
}


@pytest.mark.parametrize("damage", DAMAGED_RECORDS.values(), ids=DAMAGED_RECORDS)
def test_a_damaged_record_is_an_error(checkpoint, damage):
    path = checkpoint / "metrics.json"
    path.write_text(damage(json.loads(path.read_text())))
    with pytest.raises(CheckpointError, match=r"metrics\.json of model"):
        _ = find_checkpoint(checkpoint).record


def test_a_checkpoint_without_metrics_still_predicts(checkpoint, gray):
    (checkpoint / "metrics.json").unlink()
    predictor = Predictor.from_pretrained(checkpoint)
    assert predictor(gray).label in predictor.labels
    with pytest.raises(CheckpointError, match=r"no metrics\.json"):
        _ = predictor.checkpoint.record


def test_a_record_of_format_1_keeps_the_scores_of_accepted_images():
    content = json.loads((Path(__file__).parent / "data" / "metrics-version-1.json").read_text())
    record = ModelRecord.from_dict(content)
    current = Checkpoint(DEFAULT_FOLDER, "default").record.evaluations
    for old, new, accepted in zip(record.evaluations, current, content["accepted"], strict=True):
        assert (old.collection, old.images, old.sources) == (new.collection, new.images, new.sources)
        assert old.scores["accuracy"] == new.scores["accuracy"]
        assert old.accepted.scores["accuracy"] == accepted["scores"]["accuracy"]
    assert (record.training, record.collections) == (None, ())


def test_a_killed_replacement_is_finished_by_the_reader(checkpoint, tiny_checkpoint, gray):
    expected = Predictor.from_pretrained(checkpoint)(gray)
    (checkpoint / ".saved").mkdir()
    for name in ("config.json", "model.onnx", "spinealign.json"):
        (checkpoint / name).rename(checkpoint / ".saved" / name)
    assert Predictor.from_pretrained(checkpoint)(gray) == expected
    assert not (checkpoint / ".saved").exists()


def test_an_unfinished_replacement_in_a_read_only_folder(checkpoint):
    (checkpoint / ".saved").mkdir()
    (checkpoint / ".saving.lock").mkdir()  # prevents writing, also for root
    with pytest.raises(CheckpointError, match="model is being replaced, or a training was killed"):
        find_checkpoint(checkpoint)


def test_files_of_two_trainings_are_not_used_together(checkpoint):
    loaded = find_checkpoint(checkpoint)
    assert loaded.labels
    with replaced_together(checkpoint, key="config.json") as staging:
        shutil.copy(DEFAULT_FOLDER / "config.json", staging)
    for read in (lambda: loaded.settings, lambda: loaded.record, lambda: load_engine(loaded)):
        with pytest.raises(CheckpointError, match="model was replaced while it was in use; load it again"):
            read()
    assert find_checkpoint(checkpoint).settings


REPLACE = """
import itertools, json, shutil, sys, time
from pathlib import Path
from spinealign.writing import replaced_together

folder, source = map(Path, sys.argv[1:])
for generation in itertools.count():
    with replaced_together(folder, key="config.json") as staging:
        for name in ("config.json", "spinealign.json", "model.onnx", "novelty.safetensors", "preprocessor_config.json"):
            shutil.copy(source / name, staging)
        for name in ("config.json", "spinealign.json"):
            content = (staging / name).read_text().replace('"normal"', f'"normal {generation}"')
            (staging / name).write_text(json.dumps(json.loads(content) | {"seed": generation}))
    time.sleep(0.1)
"""


def test_a_reader_beside_a_writer_sees_whole_checkpoints(checkpoint, tiny_checkpoint):
    seen = set()
    with subprocess.Popen([sys.executable, "-c", REPLACE, checkpoint, tiny_checkpoint]) as writer:
        end = time.monotonic() + 20
        while len(seen) < 4 and time.monotonic() < end:
            with suppress(CheckpointError):
                predictor = Predictor.from_pretrained(checkpoint)
                seen.add((predictor.labels[0], predictor.settings.seed))
        writer.kill()
    seen.discard(("normal", 42))
    assert len(seen) > 1
    assert [pair for pair in seen if pair[0] != f"normal {pair[1]}"] == []
