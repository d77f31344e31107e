from __future__ import annotations

import shutil
import signal
import threading

import pytest
from huggingface_hub import HfApi
from loopback.connection import Cut

from spinealign import Predictor
from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.errors import CheckpointError, HubError
from spinealign.hub.contents import CHECKPOINT_FILES
from spinealign.hub.pushing import plan_push, push_to_hub

ALL = set(CHECKPOINT_FILES) | {".gitattributes"}


@pytest.fixture
def checkpoint(tmp_path, tiny_checkpoint):
    """A checkpoint as it lies after a training, with what must not leave the machine beside it."""
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "tiny")
    for name in ("training/checkpoint-3/optimizer.pt", "training/training_args.bin", ".cache/x", "worst_cases.png",
                 "notes.txt", "events.out.tfevents.1"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"private")
    return folder


def files_of(hub, repo_id, revision=None):
    return set(HfApi(token=hub.token, endpoint=hub.endpoint).list_repo_files(repo_id, revision=revision))


def titles_of(hub, repo_id, revision=None):
    commits = HfApi(token=hub.token, endpoint=hub.endpoint).list_repo_commits(repo_id, revision=revision)
    return [commit.title for commit in commits]


def test_exactly_the_files_of_a_checkpoint_go_up_in_one_commit(hub, checkpoint):
    repo_id = hub.new_id()
    commit = push_to_hub(checkpoint, repo_id, private=True, message="First")
    assert files_of(hub, repo_id) == ALL
    assert titles_of(hub, repo_id) == ["First", "initial commit"]
    assert commit.oid in commit.url
    assert commit.changed


def test_what_goes_up_is_what_lies_there_but_for_the_examples_of_the_card(hub, checkpoint, tmp_path):
    from huggingface_hub import snapshot_download

    repo_id = hub.new_id()
    push_to_hub(checkpoint, repo_id, private=True)
    folder = snapshot_download(repo_id, local_dir=tmp_path / "got")
    for name in CHECKPOINT_FILES:
        got = (tmp_path / "got" / name).read_bytes()
        if name == "README.md":
            assert f'model="{repo_id}"' in got.decode(), folder
            assert "path/to/" not in got.decode()
        else:
            assert got == (checkpoint / name).read_bytes()


def test_a_repository_is_private_on_request(hub, checkpoint):
    repo_id = hub.new_id()
    push_to_hub(checkpoint, repo_id, private=True)
    assert HfApi(token=hub.token, endpoint=hub.endpoint).model_info(repo_id).private


def test_what_is_public_already_is_not_taken_for_private(local_hub, checkpoint):
    repo_id = local_hub.new_id()
    push_to_hub(checkpoint, repo_id)
    with pytest.raises(HubError, match="is public already") as caught:
        push_to_hub(checkpoint, repo_id, private=True)
    assert "was made" not in str(caught.value)


def test_a_refusal_of_what_is_public_leaves_no_branch(local_hub, loopback, checkpoint):
    repo_id = local_hub.new_id()
    push_to_hub(checkpoint, repo_id)
    with pytest.raises(HubError, match="is public already"):
        push_to_hub(checkpoint, repo_id, private=True, revision="trial")
    assert set(loopback.store.repos["model", repo_id].branches) == {"main"}


def test_a_first_push_that_is_refused_says_that_the_new_repository_is_empty(local_hub, loopback, checkpoint):
    repo_id = local_hub.new_id()
    card = (checkpoint / "README.md").read_text()
    (checkpoint / "README.md").write_text(card.replace("      type: phantoms\n", "      type: ''\n"))
    with pytest.raises(HubError, match=f"{repo_id} was made and is empty: push again, or delete it on its page"):
        push_to_hub(checkpoint, repo_id, private=True, revision="trial")
    assert files_of(local_hub, repo_id) == {".gitattributes"}
    with pytest.raises(HubError, match="Invalid metadata") as caught:
        push_to_hub(checkpoint, repo_id, private=True, revision="trial")
    assert "was made" not in str(caught.value), "the second push did not make it"


def test_a_first_push_after_which_the_hub_is_gone_does_not_know_what_it_left(local_hub, loopback, checkpoint):
    def go(method, path):
        if "/preupload/" in path:
            loopback.trouble = 418  # one that the client does not try again

    loopback.before = go
    with pytest.raises(HubError, match=r"answers with an error.* was made and may be empty: push again, or delete it"):
        push_to_hub(checkpoint, local_hub.new_id())


def test_the_same_checkpoint_again_makes_no_commit(hub, checkpoint):
    repo_id = hub.new_id()
    first = push_to_hub(checkpoint, repo_id, private=True)
    again = push_to_hub(checkpoint, repo_id, private=True)
    assert (again.oid, again.changed) == (first.oid, False)
    assert len(titles_of(hub, repo_id)) == 2


def test_a_plot_that_the_new_model_has_not_goes_away_and_files_of_others_stay(hub, checkpoint):
    repo_id = hub.new_id()
    push_to_hub(checkpoint, repo_id, private=True)
    api = HfApi(token=hub.token, endpoint=hub.endpoint)
    api.upload_file(path_or_fileobj=b"text", path_in_repo="LICENSE", repo_id=repo_id)
    (checkpoint / "sensitivity_by_size.png").unlink()
    card = checkpoint / "README.md"
    card.write_text(card.read_text().replace("![Sensitivity over size](sensitivity_by_size.png)", ""))
    push_to_hub(checkpoint, repo_id, private=True)
    assert files_of(hub, repo_id) == ALL - {"sensitivity_by_size.png"} | {"LICENSE"}


def test_a_branch_grows_where_it_was_asked_for(hub, checkpoint):
    repo_id = hub.new_id()
    push_to_hub(checkpoint, repo_id, private=True, revision="trial")
    assert files_of(hub, repo_id, "trial") == ALL
    assert files_of(hub, repo_id) == {".gitattributes"}


def test_a_branch_may_have_slashes_in_its_name(local_hub, checkpoint, gray):
    repo_id = local_hub.new_id()
    commit = push_to_hub(checkpoint, repo_id, revision="feature/x")
    assert push_to_hub(checkpoint, repo_id, revision="feature/x").changed is False
    assert files_of(local_hub, repo_id, "feature/x") == ALL
    assert Predictor.from_pretrained(repo_id, "feature/x")(gray).model == f"{repo_id}@{commit.oid}"


def test_a_name_alone_goes_to_the_account_of_the_token(local_hub, loopback, checkpoint):
    assert push_to_hub(checkpoint, "mine").repo_id == "ada/mine"
    assert ("model", "ada/mine") in loopback.store.repos


def test_large_files_go_to_the_large_file_storage_without_the_token(local_hub, loopback, checkpoint):
    push_to_hub(checkpoint, local_hub.new_id())
    sent = [authorized for method, path, authorized in loopback.requests if method == "PUT"]
    assert len(sent) == 6  # two networks, the novelty, three plots
    assert not any(sent)


@pytest.mark.parametrize(
    ("token", "repo_id", "words"),
    [
        ("hf_wrong", "hospital/x", "does not accept your token"),
        ("hf_reader", "hospital/x", "may only read"),
        ("hf_owner", "elsewhere/x", "that of ada, who does not write for elsewhere; ada writes for ada, hospital"),
        ("hf_owner", "a/b/c", "no name of a repository"),
        ("hf_owner", "hospital/x..y", "no name of a repository"),
    ],
)
def test_a_push_that_cannot_work_is_refused_before_anything_is_sent(
    local_hub, loopback, checkpoint, token, repo_id, words
):
    with pytest.raises(HubError, match=words):
        push_to_hub(checkpoint, repo_id, token=token)
    assert not loopback.store.repos


def test_without_a_token_it_says_how_to_get_one(local_hub, checkpoint, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(HubError, match="hf auth login"):
        push_to_hub(checkpoint, "hospital/x")


def test_without_the_network_it_says_so(local_hub, loopback, checkpoint):
    loopback.shutdown()
    loopback.server_close()
    with pytest.raises(HubError, match="cannot be reached: check the network"):
        push_to_hub(checkpoint, "hospital/x")


def test_with_the_network_switched_off_it_says_so(local_hub, checkpoint, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        push_to_hub(checkpoint, "hospital/x")


def test_metadata_that_the_hub_refuses_is_told_before_a_weight_is_sent(local_hub, loopback, checkpoint):
    card = checkpoint / "README.md"
    card.write_text(card.read_text().replace("      type: phantoms\n", "      type: ''\n"))
    with pytest.raises(HubError, match=r"Invalid metadata in README\.md"):
        push_to_hub(checkpoint, "hospital/x")
    assert not [path for method, path, _ in loopback.requests if method == "PUT"]


def test_an_upload_that_is_cut_goes_on_by_itself(local_hub, loopback, checkpoint):
    loopback.cuts = [Cut("PUT", "/storage/")]
    repo_id = local_hub.new_id()
    push_to_hub(checkpoint, repo_id)
    assert loopback.cuts[0].times == 0
    assert files_of(local_hub, repo_id) == ALL


def test_a_commit_that_is_cut_leaves_nothing_and_a_second_push_succeeds(local_hub, loopback, checkpoint):
    loopback.cuts = [Cut("POST", "/commit/")]
    repo_id = local_hub.new_id()
    with pytest.raises(HubError, match=r"broke off.* was made and is empty"):
        push_to_hub(checkpoint, repo_id)
    assert files_of(local_hub, repo_id) == {".gitattributes"}
    push_to_hub(checkpoint, repo_id)
    assert files_of(local_hub, repo_id) == ALL
    assert len(titles_of(local_hub, repo_id)) == 2


def test_a_push_whose_answer_is_lost_was_taken_whole_and_a_second_one_changes_nothing(local_hub, loopback, checkpoint):
    loopback.cuts = [Cut("POST", "/commit/", answer=True)]
    repo_id = local_hub.new_id()
    with pytest.raises(HubError, match="broke off") as caught:
        push_to_hub(checkpoint, repo_id)
    assert "empty" not in str(caught.value)
    assert files_of(local_hub, repo_id) == ALL
    assert not push_to_hub(checkpoint, repo_id).changed
    assert len(titles_of(local_hub, repo_id)) == 2


def test_a_push_that_is_killed_in_the_middle_of_an_upload_leaves_nothing_half(local_hub, loopback, checkpoint):
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


def test_of_two_processes_that_push_at_once_one_wins_and_the_other_is_told(local_hub, loopback, checkpoint, tmp_path):
    both = threading.Barrier(2)  # both have seen the same state when the first commit is taken
    loopback.before = lambda method, path: "/commit/" in path and both.wait(120)
    repo_id = local_hub.new_id()
    folders = [checkpoint, shutil.copytree(checkpoint, tmp_path / "other")]
    (folders[1] / "novelty.safetensors").write_bytes((DEFAULT_FOLDER / "novelty.safetensors").read_bytes())
    processes = [local_hub.start("push", str(folder), repo_id, "--message", folder.name) for folder in folders]
    said = [process.communicate(timeout=180) for process in processes]
    codes = [process.returncode for process in processes]
    assert sorted(codes) == [0, 1], said
    assert "changed it in the meantime, and nothing of yours was written" in said[codes.index(1)][1]
    winner = folders[codes.index(0)]
    assert titles_of(local_hub, repo_id) == [winner.name, "initial commit"]
    kept = loopback.store.repos["model", repo_id].at("main").files["novelty.safetensors"].content
    assert kept == (winner / "novelty.safetensors").read_bytes()


def test_a_dry_run_lists_files_and_sizes_and_asks_nobody(local_hub, loopback, checkpoint):
    planned = plan_push(checkpoint)
    assert [file.name for file in planned] == list(CHECKPOINT_FILES)
    assert all(file.size == (checkpoint / file.name).stat().st_size for file in planned)
    assert not loopback.requests


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="There is no folder"):
        plan_push(tmp_path / "none")
