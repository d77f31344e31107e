from __future__ import annotations

import pytest

from spinealign.training.resuming import finish_run, last_whole_checkpoint, unfinished_run

DESCRIPTION = {"training": {"seed": 1, "learning_rate": 0.1}, "run": {"processes": 1}}


def checkpoint_in(run):
    (run / "checkpoint-3").mkdir(parents=True)
    (run / "checkpoint-3" / "trainer_state.json").write_text("{}")


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
    assert last_whole_checkpoint(tmp_path / "nothing") is None
    for name, content in (("checkpoint-3", "{}"), ("checkpoint-6", "{"), ("checkpoint-9", None)):
        (tmp_path / name).mkdir()
        if content is not None:
            (tmp_path / name / "trainer_state.json").write_text(content)
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-3")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-3"]


def test_the_same_run_goes_on_and_another_is_refused(tmp_path):
    run = tmp_path / "training"
    assert unfinished_run(run, DESCRIPTION) is None
    checkpoint_in(run)
    assert unfinished_run(run, DESCRIPTION) == str(run / "checkpoint-3")
    with pytest.raises(ValueError, match=r"other settings \(seed was 1 and is 2\)"):
        unfinished_run(run, {**DESCRIPTION, "training": {"seed": 2, "learning_rate": 0.1}})
    (run / "setup.json").write_text("{")
    with pytest.raises(ValueError, match=r"setup\.json is damaged"):
        unfinished_run(run, DESCRIPTION)


def test_what_a_finished_run_left_behind_is_not_taken_up(tmp_path):
    unfinished_run(tmp_path, DESCRIPTION)
    checkpoint_in(tmp_path)
    (tmp_path / "setup.json").unlink()  # it was killed while it tidied up
    assert unfinished_run(tmp_path, DESCRIPTION) is None
    assert not (tmp_path / "checkpoint-3").exists()


def test_a_finished_run_keeps_its_logs_alone(tmp_path):
    unfinished_run(tmp_path, DESCRIPTION)
    checkpoint_in(tmp_path)
    (tmp_path / "runs").mkdir()
    finish_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
