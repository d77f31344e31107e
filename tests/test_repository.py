from __future__ import annotations

import errno

import pytest

from spinealign.errors import HubError
from spinealign.repository import Repository, explain


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
    assert explain(OSError(errno.ENOSPC, "No space left on device"), "a/b") == "a/b: No space left on device."
    cut = OSError("Consistency check failed: file should be of size 3 but has size 2")
    assert explain(cut, "a/b") == "a/b: what came is not whole, and nothing of it is used: try again."


def test_what_lies_behind_an_error_is_told_and_not_its_wrapping():
    from huggingface_hub.errors import OfflineModeIsEnabled

    wrapping = RuntimeError("Error while uploading 'x' to the Hub.")
    wrapping.__cause__ = OfflineModeIsEnabled("no")
    assert "HF_HUB_OFFLINE" in explain(wrapping, "a/b")
