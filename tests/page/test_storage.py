from __future__ import annotations

import shutil

import pytest

from spinealign.page.storage import Storage


@pytest.mark.parametrize("limits", [{"most_bytes": 100}, {"most_requests": 2}])
def test_a_deleted_folder_frees_its_share_of_the_quota(tmp_path, limits):
    storage = Storage(**limits)
    assert storage.take(tmp_path / "a", 40)
    assert storage.take(tmp_path / "b", 40)
    assert not storage.take(tmp_path / "c", 40)
    assert not (tmp_path / "c").exists()
    shutil.rmtree(tmp_path / "a")
    assert storage.take(tmp_path / "c", 40)
    assert not storage.take(tmp_path / "d", 40)


def test_bytes_that_did_not_arrive_are_released(tmp_path):
    storage = Storage(most_bytes=100)
    assert storage.take(tmp_path / "a", 90)
    storage.settle(tmp_path / "a", 10)
    assert storage.take(tmp_path / "b", 90)


def test_a_request_above_the_quota_is_refused(tmp_path):
    assert not Storage(most_bytes=100).take(tmp_path / "a", 101)
