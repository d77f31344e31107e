from __future__ import annotations

import os
import time

import pytest

from spinealign.errors import ImageError, UnreadableImageError
from spinealign.page.uploads import Upload, sweep


@pytest.fixture
def upload(tmp_path, slices, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    path = tmp_path / "token" / "hash" / "a.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(slices["eight"].read_bytes())
    return Upload("a.png", path)


def test_reading_deletes_the_file_and_its_folders(upload, tmp_path):
    assert upload.read().shape == (256, 256)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ImageError, match="upload it again"):
        upload.read()


def test_other_files_of_the_request_are_kept(upload, tmp_path):
    other = upload.path.parent.parent / "other" / "b.png"
    other.parent.mkdir()
    other.write_bytes(b"b")
    upload.read()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [other]


def test_a_damaged_file_is_deleted_and_its_path_not_shown(upload, tmp_path):
    upload.path.write_bytes(b"no image")
    with pytest.raises(UnreadableImageError) as caught:
        upload.read()
    assert str(caught.value).startswith("This file is ")
    assert str(tmp_path) not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_old_unused_uploads_are_deleted(tmp_path):
    old, young = tmp_path / "old", tmp_path / "young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "a.png").write_bytes(b"a")
    os.utime(old, times=(time.time() - 400,) * 2)
    sweep(tmp_path, asked_about=f"[{{'path': '{old}/a.png'}}]")
    assert sorted(tmp_path.iterdir()) == [old, young], "a waiting call still needs it"
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [young]
    sweep(tmp_path / "no such folder")
