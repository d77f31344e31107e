from __future__ import annotations

import pytest

from spinealign.writing import new_folder, staged


def test_files_are_moved_when_all_are_written(tmp_path):
    folder = tmp_path / "model"
    with staged(folder) as staging:
        (staging / "a.json").write_text("new")
        assert not (folder / "a.json").exists()
    assert (folder / "a.json").read_text() == "new"
    assert [path.name for path in folder.iterdir()] == ["a.json"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_save_keeps_the_old_file(tmp_path, interruption):
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(interruption), staged(tmp_path) as staging:
        (staging / "a.json").write_text("half")
        raise interruption
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


def test_a_new_folder_is_renamed_at_the_end(tmp_path):
    (tmp_path / "space").mkdir()
    with new_folder(tmp_path / "space") as staging:
        (staging / "a.txt").write_text("new")
        assert not list((tmp_path / "space").iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["space"]
    assert (tmp_path / "space" / "a.txt").read_text() == "new"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_folder_leaves_nothing(tmp_path, interruption):
    with pytest.raises(interruption), new_folder(tmp_path / "space") as staging:
        (staging / "a.txt").write_text("half")
        raise interruption
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_empty_is_not_changed(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(FileExistsError, match="not empty"), new_folder(tmp_path):
        pass
    assert (tmp_path / "a.txt").read_text() == "old"
