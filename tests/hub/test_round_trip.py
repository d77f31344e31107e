"""From a training to a prediction by somebody else, over the Hub."""

from __future__ import annotations

import json
import shutil

import pytest
from conftest import training_words
from huggingface_hub import HfApi, ModelCard

from spinealign import Predictor
from spinealign.cli import main
from spinealign.cohort.indexing import index_cohort
from spinealign.hub import push_to_hub

PIPELINE = """
import json, sys
from transformers import pipeline
classify = pipeline("image-classification", model=sys.argv[1])
print(json.dumps({row["label"]: row["score"] for row in classify(sys.argv[2])}))
"""


@pytest.mark.slow
def test_train_push_empty_the_cache_load_by_id_and_predict(
    hub, tmp_path, phantom_folder, tiny_backbone, capsys, monkeypatch
):
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
    prediction = Predictor.from_pretrained(repo_id, "trial")(image)
    assert prediction.probabilities == expected.probabilities
    assert prediction.model == f"{repo_id}@{commit.sha}"


@pytest.mark.slow
def test_the_pushed_repository_works_in_a_pipeline_of_transformers(hub, tiny_checkpoint, phantom_folder):
    repo_id = hub.new_id()
    push_to_hub(tiny_checkpoint, repo_id, private=True)
    image = str(sorted((phantom_folder / "test").iterdir())[0])
    process = hub.start_python(PIPELINE, repo_id, image)
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    expected = Predictor.from_pretrained(tiny_checkpoint)
    assert expected.settings.decision.temperature == 1, "transformers does not know of another"
    assert json.loads(out.splitlines()[-1]) == pytest.approx(dict(expected(image).probabilities), abs=1e-3)


@pytest.mark.slow
def test_a_dataset_of_the_hub_is_known_for_the_folder_that_was_trained_on_and_cut_alike(
    local_hub, tmp_path, phantom_folder, tiny_backbone
):
    flat = tmp_path / "my phantoms"
    for index, path in enumerate(sorted((phantom_folder / "train").iterdir())):
        label = ("fracture", "normal")[index % 2]
        (flat / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, flat / label / f"slice{index // 4}{label}-{index}.png")
    pattern = ("--source_pattern", r"^(?P<source>slice.+)-\d+$")
    assert main(["train", *training_words(flat, tiny_backbone, tmp_path / "model", *pattern)]) == 0
    index_cohort(flat, source_pattern=pattern[1]).push_to_hub("hospital/my-phantoms")
    process = local_hub.start("evaluate", "hospital/my-phantoms", "--model", str(tmp_path / "model"), "--json")
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "trained on a collection of the name hospital/my-phantoms, so this one is cut as it was then. If" in said
    stored = json.loads((tmp_path / "model" / "metrics.json").read_text())["evaluations"][0]
    assert json.loads(out) == {**stored, "collection": "hospital/my-phantoms"}
    assert stored["split"] == "test"


def test_the_page_of_the_model_publishes_what_was_measured(hub, tiny_checkpoint):
    repo_id = hub.new_id()
    push_to_hub(tiny_checkpoint, repo_id, private=True)
    path = HfApi(token=hub.token, endpoint=hub.endpoint).hf_hub_download(repo_id, "README.md", cache_dir=hub.cache)
    card = ModelCard.load(path)
    measured = json.loads((tiny_checkpoint / "metrics.json").read_text())["evaluations"][0]
    published = {row.metric_type: row.metric_value for row in card.data.eval_results}
    assert published["accuracy"] == pytest.approx(measured["scores"]["accuracy"], abs=1e-6)


@pytest.mark.parametrize(
    ("token", "repo_id", "words"),
    [("hf_reader", "hospital/x", "may only read"), ("hf_owner", "elsewhere/x", "does not write for elsewhere")],
)
def test_a_push_that_could_not_work_is_told_before_the_training_starts(
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
        ("--hub_strategy", "every_save"),
        ("--hub_strategy", "checkpoint"),
        ("--hub_strategy", "all_checkpoints"),
        ("--hub_always_push", "True"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("push", [("--push_to_hub", "--hub_model_id", "hospital/x"), ()], ids=["push", "no push"])
def test_a_push_while_it_trains_is_refused_before_anything_is_asked_or_trained(
    local_hub, loopback, phantom_folder, tiny_backbone, tmp_path, capsys, push, asked
):
    told = training_words(phantom_folder, tiny_backbone, tmp_path / "out", *push, *asked)
    assert main(["train", *told]) == 1
    assert "pushes once, when its checkpoint is finished" in capsys.readouterr().err
    assert not loopback.requests
    assert not (tmp_path / "out").exists()


def test_a_push_that_fails_after_the_training_says_how_to_go_on(local_hub, loopback, tiny_checkpoint, tmp_path, capsys):
    from spinealign.cli.train import push_trained
    from spinealign.errors import CheckpointError, HubError
    from spinealign.hub.repository import Repository

    folder = shutil.copytree(tiny_checkpoint, tmp_path / "tiny")
    loopback.trouble = 503
    command = f"spinealign push {folder} hospital/x --private --revision trial"
    with pytest.raises(HubError, match=rf"try again later\. The training is not lost; push it later by: {command}$"):
        push_trained(folder, Repository("hospital/x", private=True, revision="trial"))
    loopback.trouble = 0
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(CheckpointError, match=rf"no evaluation.*\. The training is not lost.* {folder} hospital/x$"):
        push_trained(folder, Repository("hospital/x"))
    assert not capsys.readouterr().out


def test_a_push_that_changes_nothing_after_a_training_says_so(local_hub, tiny_checkpoint, capsys):
    from spinealign.cli.train import push_trained
    from spinealign.hub.repository import Repository

    for told in ("Pushed to ", "Nothing has changed since "):
        push_trained(tiny_checkpoint, Repository("hospital/x"))
        assert capsys.readouterr().out.startswith(told)


@pytest.mark.parametrize(
    ("notes", "file", "words"),
    [
        ("Images: TODO", "notes.txt", "notes.md have gaps: 'TODO' still stands in it"),
        ("![Us](team.png)", "notes.txt", "its picture team.png is not there"),
        ("Images of ours", "old.pt", "holds old.pt: a Python pickle"),
    ],
    ids=["a placeholder", "a picture", "a pickle"],
)
def test_what_would_stop_the_push_is_told_before_the_training_starts(
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


def test_a_private_push_to_a_public_repository_is_told_before_the_training_starts(
    local_hub, loopback, phantom_folder, tiny_backbone, tmp_path, capsys
):
    loopback.store.create("model", "hospital/x", loopback.store.accounts["hf_owner"], private=False)
    more = ("--push_to_hub", "--hub_model_id", "hospital/x", "--hub_private_repo", "True")
    assert main(["train", *training_words(phantom_folder, tiny_backbone, tmp_path / "out", *more)]) == 1
    assert "hospital/x is public already" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
