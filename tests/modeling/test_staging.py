from __future__ import annotations

import pytest

from spinealign.modeling.staging import staged


def test_files_move_into_place_when_all_are_written(tmp_path):
    folder = tmp_path / "model"
    with staged(folder) as staging:
        (staging / "a.json").write_text("new")
        assert not (folder / "a.json").exists()
    assert (folder / "a.json").read_text() == "new"
    assert [path.name for path in folder.iterdir()] == ["a.json"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_save_leaves_the_old_one(tmp_path, interruption):
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(interruption), staged(tmp_path) as staging:
        (staging / "a.json").write_text("half")
        raise interruption
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"
