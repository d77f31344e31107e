"""Training, push, and prediction on another machine."""

from __future__ import annotations

import json
import shutil

import pytest
from conftest import training_words
from huggingface_hub import HfApi, ModelCard

from spinealign import Predictor
from spinealign.cli import main
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.options import CollectionOptions
from spinealign.hub.pushing import push_to_hub, push_trained

PIPELINE = """
import json, sys
from transformers import pipeline
classify = pipeline("image-classification", model=sys.argv[1])
print(json.dumps({row["label"]: row["score"] for row in classify(sys.argv[2])}))
"""


@pytest.mark.slow
def test_a_training_pushes_a_model_that_loads_by_id(hub, tmp_path, phantom_folder, tiny_backbone, capsys, monkeypatch):
    repo_id, folder = hub.new_id(), tmp_path / "trained"
    words = training_words(
        phantom_folder, tiny_backbone, folder, "--num_train_epochs", "1",
        "--push_to_hub", "--hub_model_id", repo_id, "--hub_private_repo", "True", "--hub_strategy", "end",
        "--hub_revision", "trial", "--hub_token", hub.token,
    )  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setenv("HF_TOKEN", "hf_of_somebody_else")
        assert main(["train", *words]) == 0
    commit = HfApi(token=hub.token, endpoint=hub.endpoint).model_info(repo_id, revision="trial")
    assert f"Pushed to {hub.endpoint or ''}" in capsys.readouterr().out
    assert commit.private
    assert not [file.rfilename for file in commit.siblings if file.rfilename.endswith((".bin", ".pt", ".pkl"))]
    image = sorted((phantom_folder / "test").iterdir())[0]
    expected = Predictor.from_pretrained(folder)(image)
    shutil.rmtree(folder)
    shutil.rmtree(hub.cache, ignore_errors=True)
    prediction = Predictor.from_pretrained(repo_id, revision="trial")(image)
    assert prediction.probabilities == expected.probabilities
    assert prediction.model == f"{repo_id}@{commit.sha}"


@pytest.mark.slow
def test_a_pushed_model_works_in_a_transformers_pipeline(hub, tiny_checkpoint, phantom_folder):
    repo_id = hub.new_id()
    push_to_hub(tiny_checkpoint, repo_id, private=True)
    image = str(sorted((phantom_folder / "test").iterdir())[0])
    process = hub.start_python(PIPELINE, repo_id, image)
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    expected = Predictor.from_pretrained(tiny_checkpoint)
    assert expected.settings.decisions["label"].temperature == 1, "transformers does not calibrate"
    assert json.loads(out.splitlines()[-1]) == pytest.approx(dict(expected(image).probabilities), abs=1e-3)


@pytest.mark.slow
def test_a_pushed_dataset_is_split_as_in_the_training(local_hub, tmp_path, phantom_folder, tiny_backbone):
    flat = tmp_path / "my phantoms"
    for index, path in enumerate(sorted((phantom_folder / "train").iterdir())):
        label = ("fracture", "normal")[index % 2]
        (flat / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, flat / label / f"slice{index // 4}{label}-{index}.png")
    pattern = ("--source_pattern", r"^(?P<source>slice.+)-\d+$")
    assert main(["train", *training_words(flat, tiny_backbone, tmp_path / "model", *pattern)]) == 0
    index_cohort(flat, CollectionOptions(source_pattern=pattern[1])).push_to_hub("hospital/my-phantoms")
    process = local_hub.start("evaluate", "hospital/my-phantoms", "--model", str(tmp_path / "model"), "--json")
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "of hospital/my-phantoms were used in the training of the model; 18 images of the same sources" in said
    stored = json.loads((tmp_path / "model" / "metrics.json").read_text())["evaluations"][0]
    stored["collection"] = stored["accepted"]["collection"] = "hospital/my-phantoms"
    assert json.loads(out) == {**stored, "training_overlap": {"images": 18, "left_out": 18}}
    assert stored["split"] == "test"


def test_a_pushed_model_predicts_as_its_folder(local_hub, any_checkpoint, gray):
    repo_id = local_hub.new_id()
    commit = push_to_hub(any_checkpoint, repo_id)
    predictor = Predictor.from_pretrained(repo_id)
    assert predictor(gray).probabilities == Predictor.from_pretrained(any_checkpoint)(gray).probabilities
    assert predictor(gray).model == f"{repo_id}@{commit.oid}"
    assert predictor.checkpoint.target.labels[0].positive == "fracture"


def test_the_card_on_the_hub_has_the_measured_scores(hub, tiny_checkpoint):
    repo_id = hub.new_id()
    push_to_hub(tiny_checkpoint, repo_id, private=True)
    path = HfApi(token=hub.token, endpoint=hub.endpoint).hf_hub_download(repo_id, "README.md", cache_dir=hub.cache)
    card = ModelCard.load(path)
    measured = json.loads((tiny_checkpoint / "metrics.json").read_text())["evaluations"][0]
    published = {row.metric_type: row.metric_value for row in card.data.eval_results}
    assert published["accuracy"] == pytest.approx(measured["scores"]["accuracy"], abs=1e-6)


@pytest.mark.parametrize(
    ("token", "repo_id", "words"),
    [("hf_reader", "hospital/x", "is read-only"), ("hf_owner", "elsewhere/x", "cannot write for elsewhere")],
)
def test_an_impossible_push_is_reported_before_training(
    local_hub, phantom_folder, tiny_backbone, tmp_path, capsys, monkeypatch, token, repo_id, words
):
    monkeypatch.setenv("HF_TOKEN", token)
    told = training_words(phantom_folder, tiny_backbone, tmp_path / "out", "--push_to_hub", "--hub_model_id", repo_id)
    assert main(["train", *told]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "asked",
    [
        ("--hub_strategy", "checkpoint"),
        ("--hub_strategy", "all_checkpoints"),
        ("--hub_always_push", "True"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("push", [("--push_to_hub", "--hub_model_id", "hospital/x"), ()], ids=["push", "no push"])
def test_a_push_during_training_is_refused(
    local_hub, loopback, phantom_folder, tiny_backbone, tmp_path, capsys, push, asked
):
    told = training_words(phantom_folder, tiny_backbone, tmp_path / "out", *push, *asked)
    assert main(["train", *told]) == 1
    assert "pushed once, at the end" in capsys.readouterr().err
    assert not loopback.requests
    assert not (tmp_path / "out").exists()


def test_a_failed_push_after_training_gives_the_command(local_hub, loopback, tiny_checkpoint, tmp_path):
    from spinealign.errors import CheckpointError, HubError
    from spinealign.hub.repository import Repository

    folder = shutil.copytree(tiny_checkpoint, tmp_path / "tiny")
    loopback.trouble = 503
    command = f"spinealign push {folder} hospital/x --private --revision trial"
    with pytest.raises(
        HubError, match=rf"try again later\. The trained checkpoint is kept\. Push it later: {command}$"
    ):
        push_trained(folder, Repository("hospital/x", private=True, revision="trial"))
    loopback.trouble = 0
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(CheckpointError, match=rf"missing fields.*is kept.* {folder} hospital/x$"):
        push_trained(folder, Repository("hospital/x"))


def test_a_push_without_changes_is_reported(local_hub, tiny_checkpoint):
    from spinealign.hub.repository import Repository

    for told in ("Pushed to ", "Nothing has changed since "):
        assert push_trained(tiny_checkpoint, Repository("hospital/x")).summary.startswith(told)


@pytest.mark.parametrize(
    ("notes", "file", "words"),
    [
        ("Images: TODO", "notes.txt", "notes.md have gaps: it contains 'TODO'"),
        ("![Us](team.png)", "notes.txt", "its picture team.png is missing"),
        ("Images of ours", "old.pt", "old.pt"),
    ],
    ids=["a placeholder", "a picture", "a pickle"],
)
def test_gaps_are_reported_before_training(
    local_hub, loopback, phantom_folder, tiny_backbone, tmp_path, capsys, notes, file, words
):
    out = tmp_path / "out"
    out.mkdir()
    (out / file).write_bytes(b"x")
    (tmp_path / "notes.md").write_text(notes)
    more = ("--push_to_hub", "--hub_model_id", "hospital/x", "--card_notes", str(tmp_path / "notes.md"))
    assert main(["train", *training_words(phantom_folder, tiny_backbone, out, *more)]) == 1
    assert words in capsys.readouterr().err
    assert not loopback.requests
    assert [path.name for path in out.iterdir()] == [file]


def test_a_public_repository_is_reported_before_training(
    local_hub, loopback, phantom_folder, tiny_backbone, tmp_path, capsys
):
    loopback.store.create("model", "hospital/x", loopback.store.accounts["hf_owner"], private=False)
    more = ("--push_to_hub", "--hub_model_id", "hospital/x", "--hub_private_repo", "True")
    assert main(["train", *training_words(phantom_folder, tiny_backbone, tmp_path / "out", *more)]) == 1
    assert "hospital/x is public" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
