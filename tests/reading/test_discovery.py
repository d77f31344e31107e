from __future__ import annotations

from spinealign.reading.discovery import expand_paths


def test_folders_and_globs_are_expanded_once_and_in_order(tmp_path, slice_png):
    scans = tmp_path / "scans"
    for name in ("b.png", "a.PNG", "deep/c.jpg", "deep/IM0001", "notes.txt", ".hidden.png", ".git/x.png"):
        path = scans / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(slice_png.read_bytes())
    folder = [str(scans / name) for name in ("a.PNG", "b.png", "deep/IM0001", "deep/c.jpg")]
    assert expand_paths([str(scans)]) == (folder, [str(scans / "notes.txt")])
    assert expand_paths([str(scans / "*.png"), str(scans / "b.png")])[0] == [str(scans / "b.png")]
    assert expand_paths([str(scans / "**" / "*.jpg")])[0] == [str(scans / "deep/c.jpg")]
    assert expand_paths(["nothing.png", str(scans / "no*thing")])[0] == ["nothing.png", str(scans / "no*thing")]


def test_files_of_a_folder_that_are_not_images_are_passed_over(tmp_path, slices):
    for name in ("LICENSE", "VERSION", "empty", "notes.csv"):
        (tmp_path / name).write_text("" if name == "empty" else "text")
    (tmp_path / "DICOMDIR").write_bytes(slices["dicom"].read_bytes())
    for name in ("IM0001", "1.2.840.10008.77"):
        (tmp_path / name).write_bytes(slices["dicom"].read_bytes())
    (tmp_path / "log.1").write_text("text")
    (tmp_path / "damaged.png").write_text("no image")
    images = [str(tmp_path / name) for name in ("1.2.840.10008.77", "IM0001", "damaged.png")]
    others = [str(tmp_path / name) for name in ("DICOMDIR", "LICENSE", "VERSION", "empty", "log.1", "notes.csv")]
    assert expand_paths([str(tmp_path)]) == (images, others)
    named = str(tmp_path / "LICENSE")
    assert expand_paths([str(tmp_path), named]) == ([*images, named], [path for path in others if path != named])


def test_globs_open_folders_and_empty_folders_are_kept(tmp_path, slice_png):
    for name in ("study1/a.png", "study2/b.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(slice_png.read_bytes())
    (tmp_path / "study3").mkdir()
    expected = [str(tmp_path / name) for name in ("study1/a.png", "study2/b.png", "study3")]
    assert expand_paths([str(tmp_path / "study*")]) == (expected, [])


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path, slice_png):
    odd = tmp_path / "scan [1].png"
    odd.write_bytes(slice_png.read_bytes())
    assert expand_paths([str(odd)])[0] == [str(odd)]


def test_a_name_that_no_file_can_have_is_kept():
    name = "a" * 300
    assert expand_paths([name])[0] == [name]
