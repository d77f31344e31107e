from __future__ import annotations

import shutil

import pytest

from spinealign.checkpoint.files import CHECKPOINT_FILES, REFINER_FILE
from spinealign.cli import main


@pytest.fixture
def checkpoint(tmp_path, tiny_checkpoint):
    return shutil.copytree(tiny_checkpoint, tmp_path / "tiny")


def test_a_push_prints_the_url_of_the_commit(local_hub, loopback, checkpoint, capsys):
    words = ["push", str(checkpoint), "hospital/tiny", "--private", "--revision", "trial", "--message", "A trial"]
    assert main(words) == 0
    repo = loopback.store.repos["model", "hospital/tiny"]
    assert capsys.readouterr().out == f"Pushed to {loopback.endpoint}/hospital/tiny/commit/{repo.at('trial').oid}\n"
    assert repo.private
    assert [commit.title for commit in repo.history("trial")] == ["A trial", "initial commit"]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("Nothing has changed since ")


def test_a_dry_run_prints_names_and_sizes_and_sends_nothing(local_hub, loopback, checkpoint, capsys):
    assert main(["push", str(checkpoint), "hospital/tiny", "--dry_run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    files = [name for name in CHECKPOINT_FILES if name != REFINER_FILE]
    assert [line.split()[0] for line in lines[: len(files)]] == files
    assert all(line.endswith(" MB") for line in lines[:-1])
    assert lines[-1] == "Nothing was sent to hospital/tiny."
    assert not loopback.requests


def test_a_dry_run_refuses_invalid_names_and_branches(local_hub, loopback, checkpoint, capsys):
    assert main(["push", str(checkpoint), "bad/id/x", "--dry_run"]) == 1
    assert "not a repository name" in capsys.readouterr().err
    assert main(["push", str(checkpoint), "hospital/tiny", "--dry_run", "--revision", ""]) == 1
    assert "revision is empty" in capsys.readouterr().err
    assert not loopback.requests


def test_an_empty_message_creates_no_repository(local_hub, loopback, checkpoint, capsys):
    assert main(["push", str(checkpoint), "hospital/tiny", "--message", ""]) == 1
    assert "message is empty" in capsys.readouterr().err
    assert not loopback.store.repos


def test_a_refusal_is_one_line_and_status_1(local_hub, loopback, checkpoint, capsys):
    (checkpoint / "metrics.json").unlink()
    assert main(["push", str(checkpoint), "hospital/tiny"]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert main(["push", str(checkpoint), "hospital/tiny", "--dry_run"]) == 1
    assert not loopback.requests


@pytest.mark.parametrize("words", [["push"], ["push", "folder"]])
def test_wrong_usage_is_status_2(words):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
