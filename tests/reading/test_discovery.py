from __future__ import annotations

from spinealign import Predictor
from spinealign.reading.discovery import expand_paths, predict_files


def test_folders_and_globs_are_expanded_once_and_in_order(tmp_path, slice_png):
    scans = tmp_path / "scans"
    for name in ("b.png", "a.PNG", "deep/c.jpg", "deep/IM0001", "notes.txt", ".hidden.png", ".git/x.png"):
        path = scans / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(slice_png.read_bytes())
    folder = [str(scans / name) for name in ("a.PNG", "b.png", "deep/IM0001", "deep/c.jpg")]
    assert expand_paths([str(scans)]) == folder
    assert expand_paths([str(scans / "*.png"), str(scans / "b.png")]) == [str(scans / "b.png")]
    assert expand_paths([str(scans / "**" / "*.jpg")]) == [str(scans / "deep/c.jpg")]
    assert expand_paths(["nothing.png", str(scans / "no*thing")]) == ["nothing.png", str(scans / "no*thing")]


def test_globs_open_folders_and_an_empty_folder_is_reported(tmp_path, slice_png):
    for name in ("study1/a.png", "study2/b.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(slice_png.read_bytes())
    (tmp_path / "study3").mkdir()
    expected = [str(tmp_path / name) for name in ("study1/a.png", "study2/b.png", "study3")]
    assert expand_paths([str(tmp_path / "study*")]) == expected
    assert "is a folder" in list(predict_files(Predictor.from_pretrained(), expected))[-1].error


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path, slice_png):
    odd = tmp_path / "scan [1].png"
    odd.write_bytes(slice_png.read_bytes())
    assert expand_paths([str(odd)]) == [str(odd)]


def test_a_name_that_no_file_can_have_is_reported_and_not_raised():
    name = "a" * 300
    assert expand_paths([name]) == [name]
    assert "cannot be opened" in next(predict_files(Predictor.from_pretrained(), [name])).error


def test_one_bad_file_does_not_end_the_rest(tmp_path, slice_png):
    bad = tmp_path / "bad.png"
    bad.write_text("no image")
    results = list(predict_files(Predictor.from_pretrained(), [str(slice_png), str(bad), str(slice_png)]))
    assert [result.error is None for result in results] == [True, False, True]
    assert results[1].prediction is None
    assert "bad.png" in results[1].error
    assert results[0].prediction == results[2].prediction
