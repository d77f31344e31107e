from __future__ import annotations

import shutil
import signal
import threading

import pytest
from huggingface_hub import HfApi
from loopback.connection import Cut

from spinealign import Predictor
from spinealign.checkpoint.files import CHECKPOINT_FILES, REFINER_FILE
from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.errors import CheckpointError, HubError
from spinealign.hub.pushing import plan_push, push_to_hub
from spinealign.writing import replaced_together

FILES = [name for name in CHECKPOINT_FILES if name != REFINER_FILE]  # of a classifier
ALL = {*FILES, ".gitattributes"}


def with_private_files(folder):
    """Add files that must not be published."""
    for name in ("training/checkpoint-3/optimizer.pt", "training/training_args.bin", ".cache/x", "worst_cases.png",
                 "notes.txt", "events.out.tfevents.1"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"private")
    return folder


@pytest.fixture
def checkpoint(tmp_path, tiny_checkpoint):
    return with_private_files(shutil.copytree(tiny_checkpoint, tmp_path / "tiny"))


def files_of(hub, repo_id, revision=None):
    return set(HfApi(token=hub.token, endpoint=hub.endpoint).list_repo_files(repo_id, revision=revision))


def titles_of(hub, repo_id, revision=None):
    commits = HfApi(token=hub.token, endpoint=hub.endpoint).list_repo_commits(repo_id, revision=revision)
    return [commit.title for commit in commits]


def test_exactly_the_checkpoint_is_pushed_in_one_commit(hub, any_checkpoint):
    repo_id = hub.new_id()
    commit = push_to_hub(with_private_files(any_checkpoint), repo_id, private=True, message="First")
    assert files_of(hub, repo_id) == ALL
    assert titles_of(hub, repo_id) == ["First", "initial commit"]
    assert commit.oid in commit.url
    assert commit.changed


def test_only_the_examples_of_the_card_are_changed(hub, any_checkpoint, tmp_path):
    from huggingface_hub import snapshot_download

    repo_id = hub.new_id()
    push_to_hub(any_checkpoint, repo_id, private=True)
    folder = snapshot_download(repo_id, local_dir=tmp_path / "got")
    for name in FILES:
        got = (tmp_path / "got" / name).read_bytes()
        if name == "README.md":
            assert f'model="{repo_id}"' in got.decode(), folder
            assert "path/to/" not in got.decode()
        else:
            assert got == (any_checkpoint / name).read_bytes()


def test_a_repository_is_private_if_requested(hub, checkpoint):
    repo_id = hub.new_id()
    push_to_hub(checkpoint, repo_id, private=True)
    assert HfApi(token=hub.token, endpoint=hub.endpoint).model_info(repo_id).private


def test_a_private_push_to_a_public_repository_is_refused(local_hub, checkpoint):
    repo_id = local_hub.new_id()
    push_to_hub(checkpoint, repo_id)
    with pytest.raises(HubError, match="is public") as caught:
        push_to_hub(checkpoint, repo_id, private=True)
    assert "was created" not in str(caught.value)


def test_a_refused_push_creates_no_branch(local_hub, loopback, checkpoint):
    repo_id = local_hub.new_id()
    push_to_hub(checkpoint, repo_id)
    with pytest.raises(HubError, match="is public"):
        push_to_hub(checkpoint, repo_id, private=True, revision="trial")
    assert set(loopback.store.repos["model", repo_id].branches) == {"main"}


def test_a_refused_first_push_says_the_repository_is_empty(local_hub, loopback, checkpoint):
    repo_id = local_hub.new_id()
    card = (checkpoint / "README.md").read_text()
    (checkpoint / "README.md").write_text(card.replace("      type: phantoms\n", "      type: ''\n"))
    with pytest.raises(HubError, match=f"{repo_id} was created and may be empty: push again"):
        push_to_hub(checkpoint, repo_id, private=True, revision="trial")
    assert files_of(local_hub, repo_id) == {".gitattributes"}
    with pytest.raises(HubError, match="Invalid metadata") as caught:
        push_to_hub(checkpoint, repo_id, private=True, revision="trial")
    assert "was created" not in str(caught.value), "the second push did not create it"


def test_a_first_push_that_loses_the_hub_says_so(local_hub, loopback, checkpoint):
    def go(method, path):
        if "/preupload/" in path:
            loopback.trouble = 418  # a status that the client does not retry

    loopback.before = go
    with pytest.raises(HubError, match=r"returned an error.* was created and may be empty"):
        push_to_hub(checkpoint, local_hub.new_id())


def test_an_unchanged_checkpoint_makes_no_commit(hub, checkpoint):
    repo_id = hub.new_id()
    first = push_to_hub(checkpoint, repo_id, private=True)
    again = push_to_hub(checkpoint, repo_id, private=True)
    assert (again.oid, again.changed) == (first.oid, False)
    assert len(titles_of(hub, repo_id)) == 2


def test_an_old_plot_is_deleted_and_other_files_are_kept(hub, checkpoint):
    repo_id = hub.new_id()
    push_to_hub(checkpoint, repo_id, private=True)
    api = HfApi(token=hub.token, endpoint=hub.endpoint)
    api.upload_file(path_or_fileobj=b"text", path_in_repo="LICENSE", repo_id=repo_id)
    (checkpoint / "sensitivity_by_size.png").unlink()
    card = checkpoint / "README.md"
    card.write_text(card.read_text().replace("![Sensitivity by size](sensitivity_by_size.png)", ""))
    push_to_hub(checkpoint, repo_id, private=True)
    assert files_of(hub, repo_id) == ALL - {"sensitivity_by_size.png"} | {"LICENSE"}


def test_a_branch_is_created_if_requested(hub, checkpoint):
    repo_id = hub.new_id()
    push_to_hub(checkpoint, repo_id, private=True, revision="trial")
    assert files_of(hub, repo_id, "trial") == ALL
    assert files_of(hub, repo_id) == {".gitattributes"}


def test_a_branch_name_may_have_slashes(local_hub, checkpoint, gray):
    repo_id = local_hub.new_id()
    commit = push_to_hub(checkpoint, repo_id, revision="feature/x")
    assert push_to_hub(checkpoint, repo_id, revision="feature/x").changed is False
    assert files_of(local_hub, repo_id, "feature/x") == ALL
    assert Predictor.from_pretrained(repo_id, revision="feature/x")(gray).model == f"{repo_id}@{commit.oid}"


def test_a_name_without_owner_belongs_to_the_account(local_hub, loopback, checkpoint):
    assert push_to_hub(checkpoint, "mine").repo_id == "ada/mine"
    assert ("model", "ada/mine") in loopback.store.repos


@pytest.mark.parametrize(
    ("token", "repo_id", "words"),
    [
        ("hf_wrong", "hospital/x", "does not accept your token"),
        ("hf_reader", "hospital/x", "is read-only"),
        ("hf_owner", "elsewhere/x", "ada, who cannot write for elsewhere, only for ada, hospital"),
        ("hf_owner", "a/b/c", "not a repository name"),
        ("hf_owner", "hospital/x..y", "not a repository name"),
    ],
)
def test_an_impossible_push_sends_nothing(local_hub, loopback, checkpoint, token, repo_id, words):
    with pytest.raises(HubError, match=words):
        push_to_hub(checkpoint, repo_id, token=token)
    assert not loopback.store.repos


def test_a_missing_token_is_explained(local_hub, checkpoint, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(HubError, match="hf auth login"):
        push_to_hub(checkpoint, "hospital/x")


def test_a_missing_network_is_explained(local_hub, loopback, checkpoint):
    loopback.shutdown()
    loopback.server_close()
    with pytest.raises(HubError, match="cannot be reached: check the network"):
        push_to_hub(checkpoint, "hospital/x")


def test_offline_mode_is_explained(local_hub, checkpoint, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        push_to_hub(checkpoint, "hospital/x")


def test_invalid_metadata_is_reported_before_the_upload(local_hub, loopback, checkpoint):
    card = checkpoint / "README.md"
    card.write_text(card.read_text().replace("      type: phantoms\n", "      type: ''\n"))
    with pytest.raises(HubError, match=r"Invalid metadata in README\.md"):
        push_to_hub(checkpoint, "hospital/x")
    assert not [path for method, path, _ in loopback.requests if method == "PUT"]


def test_an_interrupted_upload_is_retried(local_hub, loopback, checkpoint):
    loopback.cuts = [Cut("PUT", "/storage/")]
    repo_id = local_hub.new_id()
    push_to_hub(checkpoint, repo_id)
    assert loopback.cuts[0].times == 0
    assert files_of(local_hub, repo_id) == ALL


def test_an_interrupted_commit_changes_nothing(local_hub, loopback, checkpoint):
    loopback.cuts = [Cut("POST", "/commit/")]
    repo_id = local_hub.new_id()
    with pytest.raises(HubError, match=r"interrupted.* was created and may be empty"):
        push_to_hub(checkpoint, repo_id)
    assert files_of(local_hub, repo_id) == {".gitattributes"}
    push_to_hub(checkpoint, repo_id)
    assert files_of(local_hub, repo_id) == ALL
    assert len(titles_of(local_hub, repo_id)) == 2


def test_a_push_with_a_lost_response_is_complete(local_hub, loopback, checkpoint):
    loopback.cuts = [Cut("POST", "/commit/", answer=True)]
    repo_id = local_hub.new_id()
    with pytest.raises(HubError, match="interrupted"):
        push_to_hub(checkpoint, repo_id)
    assert files_of(local_hub, repo_id) == ALL
    assert not push_to_hub(checkpoint, repo_id).changed
    assert len(titles_of(local_hub, repo_id)) == 2


def test_a_killed_push_changes_nothing(local_hub, loopback, checkpoint):
    arrived, killed = threading.Event(), threading.Event()

    def hold(method, path):
        if method == "PUT":
            arrived.set()
            killed.wait(60)

    loopback.before = hold
    repo_id = local_hub.new_id()
    process = local_hub.start("push", str(checkpoint), repo_id)
    assert arrived.wait(120), process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    killed.set()
    assert files_of(local_hub, repo_id) == {".gitattributes"}
    push_to_hub(checkpoint, repo_id)
    assert files_of(local_hub, repo_id) == ALL
    assert len(titles_of(local_hub, repo_id)) == 2


def test_of_two_simultaneous_pushes_one_succeeds(local_hub, loopback, checkpoint, tmp_path):
    both = threading.Barrier(2)  # both have read the same state before the first commit
    loopback.before = lambda method, path: "/commit/" in path and both.wait(120)
    repo_id = local_hub.new_id()
    folders = [checkpoint, shutil.copytree(checkpoint, tmp_path / "other")]
    (folders[1] / "novelty.safetensors").write_bytes((DEFAULT_FOLDER / "novelty.safetensors").read_bytes())
    processes = [local_hub.start("push", str(folder), repo_id, "--message", folder.name) for folder in folders]
    said = [process.communicate(timeout=180) for process in processes]
    codes = [process.returncode for process in processes]
    assert sorted(codes) == [0, 1], said
    assert "changed it in the meantime, and nothing was written" in said[codes.index(1)][1]
    winner = folders[codes.index(0)]
    assert titles_of(local_hub, repo_id) == [winner.name, "initial commit"]
    kept = loopback.store.repos["model", repo_id].at("main").files["novelty.safetensors"].content
    assert kept == (winner / "novelty.safetensors").read_bytes()


def test_a_dry_run_lists_files_without_network(local_hub, loopback, checkpoint):
    planned = plan_push(checkpoint)
    assert planned == {name: (checkpoint / name).stat().st_size for name in FILES}
    assert not loopback.requests


def test_a_checkpoint_that_is_replaced_during_a_push_is_refused(local_hub, loopback, checkpoint):
    def retrain(method, path):
        if path == "/api/repos/create":  # after the checks
            with replaced_together(checkpoint, key="config.json") as staging:
                shutil.copy(DEFAULT_FOLDER / "config.json", staging)

    loopback.before = retrain
    repo_id = local_hub.new_id()
    with pytest.raises(CheckpointError, match="tiny was replaced while it was in use"):
        push_to_hub(checkpoint, repo_id)
    assert files_of(local_hub, repo_id) == {".gitattributes"}


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="There is no folder"):
        plan_push(tmp_path / "none")
