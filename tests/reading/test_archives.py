from __future__ import annotations

import gzip
import io
import pickle
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest

from spinealign.config import ReadingLimits
from spinealign.errors import UnreadableImageError, UnsupportedFormatError
from spinealign.reading.archives import open_archive
from spinealign.reading.files import is_file, read_file
from spinealign.reading.slices import read_slice

MIB = 1024**2


def zipped(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as stream:
        for name, content in files.items():
            stream.writestr(name, content)
    return path


def test_images_in_an_archive_are_read_by_path(tmp_path, slice_png):
    path = zipped(tmp_path / "scans.zip", {"ct/a.png": slice_png.read_bytes(), "b.txt": b"text"})
    inside = f"{path}/ct/a.png"
    assert (read_slice(inside).pixels == read_slice(slice_png).pixels).all()
    assert read_slice(inside).origin == inside
    assert is_file(inside)
    assert not is_file(f"{path}/ct/b.png")
    with pytest.raises(UnreadableImageError, match=r"no readable file ct/b\.png"):
        read_file(f"{path}/ct/b.png")
    with pytest.raises(UnsupportedFormatError, match=r"archive of 2 files; .* such as .*scans\.zip/ct/a\.png"):
        read_slice(path)
    with pytest.raises(UnreadableImageError, match="There is no file"):
        read_file(slice_png / "a.png")


def test_samples_of_an_archive_are_read_in_other_processes(tmp_path, slice_png):
    from spinealign.cohort.cohort import Sample

    path = zipped(tmp_path / "scans.zip", {"a.png": slice_png.read_bytes()})
    sample = Sample(f"{path}/a.png", "normal", "a")
    assert sample.read() == slice_png.read_bytes()
    code = "import pickle, sys; print(len(pickle.loads(sys.stdin.buffer.read()).read()))"
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(sample), capture_output=True, check=True)
    assert int(done.stdout) == len(slice_png.read_bytes())


def test_a_changed_archive_is_opened_again(tmp_path):
    path = zipped(tmp_path / "a.zip", {"x": b"1"})
    assert read_file(f"{path}/x") == b"1"
    zipped(path, {"x": b"222"})
    assert read_file(f"{path}/x") == b"222"


def zip_of_zeros(path):
    return zipped(path, {"a.png": b"\0" * (80 * MIB)})


def tar_of_zeros(path):
    with gzip.open(path, "wb", 9) as stream:
        info = tarfile.TarInfo("a.png")
        info.size = 80 * MIB
        stream.write(info.tobuf())
        for _ in range(80):
            stream.write(bytes(MIB))
    return path


def zip_of_overlaps(path):
    """Write a directory in which each file is the same 100 KiB."""
    zipped(path, {f"{number}.png": b"" for number in range(50)}, zipfile.ZIP_STORED)
    with zipfile.ZipFile(path, "a") as stream:
        stream.writestr("big.png", bytes(range(256)) * 400)
        for info in stream.infolist():
            info.compress_size = info.file_size = 256 * 400
    return path


def zip_of_many(path):
    return zipped(path, {f"{number}": b"" for number in range(300)})


def tar_of_many(path):
    with tarfile.open(path, "w") as stream:
        for number in range(300):
            stream.addfile(tarfile.TarInfo(str(number)), io.BytesIO())
    return path


BOMBS = {
    "zip of zeros": (zip_of_zeros, "compressed to less than 1/500"),
    "tar of zeros": (tar_of_zeros, "compressed to less than 1/500"),
    "overlapping files": (zip_of_overlaps, "overlap"),
    "many files": (zip_of_many, "more than 200 files"),
    "many files in a tar": (tar_of_many, "more than 200 files"),
    "half a zip": (lambda path: path.write_bytes(zip_of_many(path).read_bytes()[:900]) and path, "damaged"),
    "no archive": (lambda path: path.write_bytes(b"text") and path, "not a zip or tar archive"),
}


@pytest.mark.parametrize(("make", "words"), BOMBS.values(), ids=BOMBS)
def test_harmful_archives_end_fast_in_a_typed_error(tmp_path, make, words):
    path = make(tmp_path / "bomb.zip")
    start = time.process_time()
    with pytest.raises(UnreadableImageError, match=words):
        open_archive(str(path), ReadingLimits(max_files=200))
    assert time.process_time() - start < 1


def test_the_unpacked_size_of_an_archive_is_limited(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a": bytes(3000), "b": bytes(3000)}, zipfile.ZIP_STORED)
    with pytest.raises(UnreadableImageError, match="GiB of files"):
        open_archive(str(path), ReadingLimits(max_unpacked=5000))
    assert open_archive(str(path)).sizes == {"a": 3000, "b": 3000}


def test_a_lying_length_and_encryption_are_typed_errors(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a": b"x" * 5000})
    content = bytearray(path.read_bytes())
    entry = content.rfind(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (10**9).to_bytes(4, "little")  # size after decompression
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError):
        read_file(f"{path}/a")
    content[entry + 24 : entry + 28] = (5000).to_bytes(4, "little")
    content[entry + 8] |= 1
    path.write_bytes(content)
    assert str(open_archive(str(path)).passed) == "1 encrypted file (a)"
