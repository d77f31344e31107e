from __future__ import annotations

import errno

import pytest

from spinealign.errors import HubError
from spinealign.hub.repository import Repository
from spinealign.hub_errors import explain


def test_the_owner_is_added_to_a_name_alone_and_the_token_is_never_shown(local_hub):
    repository = Repository("model", token=local_hub.token).checked()
    assert repository.repo_id == "ada/model"
    assert local_hub.token not in repr(repository)


@pytest.mark.parametrize("owner", ["hospital", "Hospital", "ada"])
def test_who_writes_for_an_organisation_may_push_there(local_hub, owner):
    assert Repository(f"{owner}/model").checked().repo_id == f"{owner}/model"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "the Hub refuses the request"),
        (403, "your token may not do this here"),
        (409, "somebody else is changing it"),
        (418, "the Hub answers with an error: .*418"),
        (429, "slow down"),
        (500, "trouble of its own"),
    ],
)
def test_each_refusal_of_the_hub_has_its_sentence(local_hub, loopback, status, words):
    loopback.trouble = status
    with pytest.raises(HubError, match=words):
        Repository("hospital/model").checked()


def test_a_page_that_is_no_hub_says_so(local_hub, loopback):
    loopback.trouble = 200  # an answer, but not that of a Hub
    with pytest.raises(HubError, match="no Hub: check HF_ENDPOINT"):
        Repository("hospital/model").checked()


def test_a_full_disk_and_a_file_of_another_size_are_told():
    full = OSError(errno.ENOSPC, "No space left on device")
    assert explain(full, "a/b") == "a/b: No space left on device; the cache lies where HF_HOME or HF_HUB_CACHE say."
    cut = OSError("Consistency check failed: file should be of size 3 but has size 2")
    assert explain(cut, "a/b") == "a/b: what came is not whole, and nothing of it is used: try again."


def test_a_private_push_to_what_is_public_is_refused_before_any_work_is_done(local_hub, loopback):
    ada = loopback.store.accounts["hf_owner"]
    loopback.store.create("model", "ada/model", ada, private=False)
    loopback.store.create("model", "ada/mine", ada, private=True)
    for name in ("ada/model", "model"):
        with pytest.raises(HubError, match="ada/model is public already"):
            Repository(name, private=True).checked()
    with pytest.raises(HubError, match="ada/model is public already"):  # it may have become so in the meantime
        Repository("ada/model", private=True).push({"a.txt": b"a"}, message="A file")
    assert Repository("ada/mine", private=True).checked().repo_id == "ada/mine"
    assert Repository("ada/new", private=True).checked().repo_id == "ada/new"


def test_an_empty_branch_and_an_empty_message_are_wrong_usage(local_hub, loopback):
    with pytest.raises(ValueError, match="revision is empty"):
        Repository("ada/model", revision="")
    with pytest.raises(ValueError, match="message is empty"):
        Repository("ada/model").push({"a.txt": b"a"}, message=" ")
    assert not loopback.store.repos


def test_every_sentence_ends():
    assert explain(ValueError("Invalid metadata in README.md"), "a/b") == "a/b: Invalid metadata in README.md."


def test_what_lies_behind_an_error_is_told_and_not_its_wrapping():
    from huggingface_hub.errors import OfflineModeIsEnabled

    wrapping = RuntimeError("Error while uploading 'x' to the Hub.")
    wrapping.__cause__ = OfflineModeIsEnabled("no")
    assert "HF_HUB_OFFLINE" in explain(wrapping, "a/b")
