from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest
from conftest import ROOT, serve_page

from spinealign.page.folders import VARIABLE, own_folder

HOLD = """
import sys, time
from spinealign.page.folders import own_folder
with own_folder() as folder:
    (folder / "slice.png").write_bytes(b"a patient")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Empty folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def holder(place):
    """Another process with an upload folder that holds a file."""
    own = {**os.environ, "TMPDIR": str(place), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", HOLD], env=own, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_the_folder_is_private_known_to_gradio_and_temporary(place, monkeypatch):
    monkeypatch.setenv(VARIABLE, "mine")
    with own_folder() as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o777 == 0o700
        assert os.environ[VARIABLE] == str(folder)
        (folder / "slice.png").write_bytes(b"a patient")
    assert list(place.iterdir()) == []
    assert os.environ[VARIABLE] == "mine"


def test_the_folder_of_a_killed_server_is_deleted_at_next_start(place, holder):
    (left,) = place.iterdir()
    holder.kill()
    holder.wait()
    assert (left / "slice.png").is_file()
    with own_folder() as folder:
        assert list(place.iterdir()) == [folder]


def test_the_folder_of_a_running_server_is_kept(place, holder):
    (running,) = place.iterdir()
    with own_folder() as folder, own_folder() as another:
        assert set(place.iterdir()) == {running, folder, another}
    assert (running / "slice.png").is_file()


def test_links_and_files_with_a_similar_name_are_kept(place):
    (place / "elsewhere").mkdir()
    (place / "elsewhere" / "thesis.txt").write_text("mine")
    (place / "spinealign-page-link").symlink_to(place / "elsewhere")
    (place / "spinealign-page-notes").write_text("mine")
    with own_folder():
        pass
    assert (place / "spinealign-page-link" / "thesis.txt").is_file()
    assert (place / "spinealign-page-notes").is_file()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root owns files of other users")
def test_a_folder_of_another_user_is_kept(place):
    other = place / "spinealign-page-other"
    other.mkdir()
    os.chown(other, 65534, 65534)
    with own_folder():
        pass
    assert other.is_dir()


@pytest.mark.slow
def test_a_restarted_page_leaves_no_files_of_a_killed_one(tmp_path, toy_model):
    uploads = tmp_path / "uploads"
    with serve_page(uploads, "--model", str(toy_model)) as served:
        (left,) = uploads.iterdir()
        served.process.kill()
        served.process.wait()
    assert left.is_dir()
    with serve_page(uploads, "--model", str(toy_model)):
        assert not left.exists()
    assert list(uploads.iterdir()) == []
