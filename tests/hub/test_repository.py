from __future__ import annotations

import errno

import pytest

from spinealign.errors import HubError
from spinealign.hub.repository import Repository
from spinealign.hub_errors import explain


def test_the_owner_is_added_and_the_token_is_hidden(local_hub):
    repository = Repository("model", token=local_hub.token).checked()
    assert repository.repo_id == "ada/model"
    assert local_hub.token not in repr(repository)


@pytest.mark.parametrize("owner", ["hospital", "Hospital", "ada"])
def test_members_may_push_to_an_organization(local_hub, owner):
    assert Repository(f"{owner}/model").checked().repo_id == f"{owner}/model"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "the Hub refuses the request"),
        (403, "lacks the permission"),
        (409, "another client is changing it"),
        (418, "the Hub returned an error: .*418"),
        (429, "too many requests"),
        (500, "internal error"),
    ],
)
def test_each_status_of_the_hub_has_a_message(local_hub, loopback, status, words):
    loopback.trouble = status
    with pytest.raises(HubError, match=words):
        Repository("hospital/model").checked()


def test_a_server_that_is_not_a_hub_is_explained(local_hub, loopback):
    loopback.trouble = 200  # a response, but not from a Hub
    with pytest.raises(HubError, match="not a Hub: check HF_ENDPOINT"):
        Repository("hospital/model").checked()


def test_a_full_disk_and_a_wrong_size_are_explained():
    full = OSError(errno.ENOSPC, "No space left on device")
    assert explain(full, "a/b") == "a/b: No space left on device; HF_HOME or HF_HUB_CACHE set the folder of the cache."
    cut = OSError("Consistency check failed: file should be of size 3 but has size 2")
    assert explain(cut, "a/b") == "a/b: the download is incomplete: try again."


def test_a_private_push_to_a_public_repository_is_refused(local_hub, loopback):
    ada = loopback.store.accounts["hf_owner"]
    loopback.store.create("model", "ada/model", ada, private=False)
    loopback.store.create("model", "ada/mine", ada, private=True)
    for name in ("ada/model", "model"):
        with pytest.raises(HubError, match="ada/model is public"):
            Repository(name, private=True).checked()
    with pytest.raises(HubError, match="ada/model is public"):  # checked again, as it may have changed
        Repository("ada/model", private=True).push({"a.txt": b"a"}, message="A file")
    assert Repository("ada/mine", private=True).checked().repo_id == "ada/mine"
    assert Repository("ada/new", private=True).checked().repo_id == "ada/new"


def test_an_empty_branch_or_message_is_an_error(local_hub, loopback):
    with pytest.raises(ValueError, match="revision is empty"):
        Repository("ada/model", revision="")
    with pytest.raises(ValueError, match="message is empty"):
        Repository("ada/model").push({"a.txt": b"a"}, message=" ")
    assert not loopback.store.repos


def test_every_message_ends_with_a_period():
    assert explain(ValueError("Invalid metadata in README.md"), "a/b") == "a/b: Invalid metadata in README.md."


def test_the_cause_of_an_error_is_explained():
    from huggingface_hub.errors import OfflineModeIsEnabled

    wrapping = RuntimeError("Error while uploading 'x' to the Hub.")
    wrapping.__cause__ = OfflineModeIsEnabled("no")
    assert "HF_HUB_OFFLINE" in explain(wrapping, "a/b")
