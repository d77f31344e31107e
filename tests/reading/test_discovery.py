from __future__ import annotations

import io
import os
import tarfile
import time
import zipfile

import pytest

from spinealign.reading.discovery import expand_paths, list_images


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_folders_and_globs_are_expanded_once_and_in_order(tmp_path, slice_png):
    scans = tmp_path / "scans"
    for name in ("b10.png", "b2.png", "a.PNG", "deep/c.jpg", "deep/IM0001", ".hidden.png", ".git/x.png"):
        path = scans / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(slice_png.read_bytes())
    (scans / "notes.txt").write_text("text")
    folder = [str(scans / name) for name in ("a.PNG", "b2.png", "b10.png", "deep/c.jpg", "deep/IM0001")]
    paths, passed = expand_paths([str(scans)])
    assert paths == folder
    assert passed.startswith("3 of 8 files passed over: 2 hidden or system files (")
    assert passed.endswith("1 text file (notes.txt)")
    assert expand_paths([str(scans / "*.png"), str(scans / "b2.png")])[0] == folder[1:3]
    assert expand_paths([str(scans / "**" / "*.jpg")])[0] == [str(scans / "deep/c.jpg")]
    assert expand_paths(["nothing.png", str(scans / "no*thing")])[0] == ["nothing.png", str(scans / "no*thing")]


def test_images_are_found_by_content_and_others_counted(tmp_path, slices):
    for name in ("LICENSE", "VERSION", "notes.csv", "log.1"):
        (tmp_path / name).write_text("text")
    for name in ("DICOMDIR", "IM0001", "1.2.840.10008.77", "CT.1.2.840.1", "slice.IMA", "odd.txt"):
        (tmp_path / name).write_bytes(slices["dicom"].read_bytes())
    (tmp_path / "damaged.png").write_text("no image")
    images = ["1.2.840.10008.77", "CT.1.2.840.1", "damaged.png", "IM0001", "odd.txt", "slice.IMA"]
    listing = list_images(tmp_path)
    assert [image.name for image in listing.images] == images
    assert listing.note.startswith("5 of 11 files passed over: 4 text files (")
    assert listing.note.endswith(", 1 DICOM directory (DICOMDIR)")
    named = str(tmp_path / "LICENSE")
    assert expand_paths([str(tmp_path), named])[0][-1] == named


@pytest.mark.parametrize(
    "name",
    [".ipynb_checkpoints/a.png", ".Trash-1000/files/a.png", "x/@eaDir/a.png/thumb.jpg", "__MACOSX/._a.png",
     "$RECYCLE.BIN/a.png", "x/._a.png", "Thumbs.db", "x/desktop.ini", ".thumbnails/a.png"],
)  # fmt: skip
def test_hidden_and_system_files_are_left_out_at_any_depth(root, slice_png, name):
    path = root / "y" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(slice_png.read_bytes())
    listing = list_images(root)
    assert not listing.images
    assert listing.note.startswith("1 of 1 files passed over: 1 hidden or system file (y/")


def test_links_are_followed_without_loops(root, tmp_path, slice_png):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a.png").write_bytes(slice_png.read_bytes())
    (root / "inner").mkdir()
    os.symlink(tmp_path / "store", root / "linked")
    os.symlink(slice_png, root / "b.png")
    os.symlink(root, root / "inner" / "loop")
    os.symlink(tmp_path / "nothing", root / "broken.png")
    os.symlink("itself", root / "itself")
    listing = list_images(root)
    assert [image.name for image in listing.images] == ["b.png", "linked/a.png"]
    assert "1 link to a folder that contains it (inner/loop/)" in str(listing.passed)
    assert "2 broken links (broken.png)" in str(listing.passed)


def test_folders_full_of_links_end_in_bounded_time(tmp_path):
    for depth in range(12):
        (tmp_path / f"d{depth}").mkdir()
    for depth in range(11):
        for link in ("a", "b", "c"):
            os.symlink(tmp_path / f"d{depth + 1}", tmp_path / f"d{depth}" / link)
    start = time.process_time()
    list_images(tmp_path / "d0")
    assert time.process_time() - start < 2


def archive(path, files):
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
            for name, content in files.items():
                stream.writestr(name, content)
        return path
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as stream:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            stream.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["scans.zip", "scans.tar", "scans.tar.gz", "scans.tgz"])
def test_archives_are_listed_in_place(root, slice_png, name):
    image = slice_png.read_bytes()
    files = {"ct/10.png": image, "ct/2.png": image, "./ct/3": image, "notes.txt": b"text", "__MACOSX/._2.png": image}
    path = archive(root / name, {**files, "../escape.png": image})
    expected = [f"{path}/ct/{end}" for end in ("2.png", "3", "10.png")]
    paths, passed = expand_paths([str(path)])
    assert paths == expected
    assert "1 unsafe name in an archive (../escape.png)" in passed
    assert expand_paths([str(root)])[0] == expected


def test_documents_that_are_archives_are_not_opened(root, slice_png):
    archive(root / "x.zip", {"word/media/image1.png": slice_png.read_bytes()}).rename(root / "report.docx")
    (root / "a.png").write_bytes(slice_png.read_bytes())
    listing = list_images(root)
    assert [image.name for image in listing.images] == ["a.png"]
    assert "1 zip archive (report.docx)" in listing.note


def test_an_unusable_archive_does_not_end_the_listing(root, slice_png):
    (root / "a.png").write_bytes(slice_png.read_bytes())
    (root / "half.zip").write_bytes(archive(root / "x.zip", {"a": b"0" * 999}).read_bytes()[:50])
    (root / "x.zip").unlink()
    listing = list_images(root)
    assert [image.name for image in listing.images] == ["a.png"]
    assert "1 archive that cannot be read (half.zip is a damaged or incomplete zip archive" in listing.note


def test_figures_of_a_model_are_not_images_of_the_folder(root, slice_png):
    for name in ("a.png", "model/evaluation.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(slice_png.read_bytes())
    (root / "model" / "spinealign.json").write_text("{}")
    listing = list_images(root)
    assert [image.name for image in listing.images] == ["a.png"]
    assert listing.note == "1 of 2 files passed over: 1 folder with a model (model/)"


def test_globs_open_folders_and_empty_folders_are_kept(tmp_path, slice_png):
    for name in ("study1/a.png", "study2/b.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(slice_png.read_bytes())
    (tmp_path / "study3").mkdir()
    expected = [str(tmp_path / name) for name in ("study1/a.png", "study2/b.png", "study3")]
    assert expand_paths([str(tmp_path / "study*")]) == (expected, "")


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path, slice_png):
    odd = tmp_path / "scan [1].png"
    odd.write_bytes(slice_png.read_bytes())
    assert expand_paths([str(odd)])[0] == [str(odd)]


def test_a_name_that_no_file_can_have_is_kept():
    name = "a" * 300
    assert expand_paths([name])[0] == [name]
