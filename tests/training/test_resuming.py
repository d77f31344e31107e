from __future__ import annotations

import pytest

from spinealign.training.resuming import finish_run, last_whole_checkpoint, unfinished_run

DESCRIPTION = {"training": {"seed": 1, "learning_rate": 0.1}, "run": {"processes": 1}}


def checkpoint_in(run):
    (run / "checkpoint-3").mkdir(parents=True)
    (run / "checkpoint-3" / "trainer_state.json").write_text("{}")


def test_an_incomplete_checkpoint_is_deleted(tmp_path):
    assert last_whole_checkpoint(tmp_path / "nothing") is None
    for name, content in (("checkpoint-3", "{}"), ("checkpoint-6", "{"), ("checkpoint-9", None)):
        (tmp_path / name).mkdir()
        if content is not None:
            (tmp_path / name / "trainer_state.json").write_text(content)
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-3")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-3"]


def test_a_run_continues_only_with_the_same_options(tmp_path):
    run = tmp_path / "training"
    assert unfinished_run(run, DESCRIPTION) is None
    checkpoint_in(run)
    assert unfinished_run(run, DESCRIPTION) == str(run / "checkpoint-3")
    with pytest.raises(ValueError, match=r"other options \(seed was 1 and is 2\)"):
        unfinished_run(run, {**DESCRIPTION, "training": {"seed": 2, "learning_rate": 0.1}})
    (run / "setup.json").write_text("{")
    with pytest.raises(ValueError, match=r"setup\.json is damaged"):
        unfinished_run(run, DESCRIPTION)


def test_leftovers_of_a_finished_run_are_deleted(tmp_path):
    unfinished_run(tmp_path, DESCRIPTION)
    checkpoint_in(tmp_path)
    (tmp_path / "setup.json").unlink()  # killed during the deletion
    assert unfinished_run(tmp_path, DESCRIPTION) is None
    assert not (tmp_path / "checkpoint-3").exists()


def test_a_finished_run_keeps_only_its_logs(tmp_path):
    unfinished_run(tmp_path, DESCRIPTION)
    checkpoint_in(tmp_path)
    (tmp_path / "runs").mkdir()
    finish_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
