from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest
from PIL import Image

from spinealign.reading.kinds import HEAD_BYTES, kind_of


def picture(form: str) -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 60).save(stream, form)
    return stream.getvalue()


def tar(mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        archive.addfile(tarfile.TarInfo("a.png"))
    return stream.getvalue()


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.png", b"")
    return stream.getvalue()


def dicom(media_class: str) -> bytes:
    uid = media_class.encode() + b"\0" * (len(media_class) % 2)
    return bytes(128) + b"DICM" + b"\2\0\2\0UI" + len(uid).to_bytes(2, "little") + uid


NIFTI = (348).to_bytes(4, "little") + bytes(340) + b"n+1\0" + bytes(100)
CONTENTS = {
    **{f"{form} image": (picture(form), "image") for form in ("PNG", "JPEG", "BMP", "TIFF", "GIF")},
    "WebP image": (picture("WEBP"), "image"),
    "JPEG 2000 image": (picture("JPEG2000"), "image"),
    "NumPy array": (b"\x93NUMPY\x01\0", "image"),
    "DICOM file": (dicom("1.2.840.10008.5.1.4.1.1.2"), "image"),
    "DICOM directory": (dicom("1.2.840.10008.1.3.10"), "other"),
    "DICOM object without an image": (dicom("1.2.840.10008.5.1.4.1.1.88.11"), "other"),
    "NIfTI volume": (NIFTI, "volume"),
    "compressed NIfTI volume": (gzip.compress(NIFTI), "volume"),
    "zip archive": (zipped(), "archive"),
    "tar archive": (tar(), "archive"),
    "compressed tar archive": (tar("w:gz"), "archive"),
    "gzip file": (gzip.compress(b"text"), "other"),
    "HEIC image": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "other"),
    "AVIF image": (picture("AVIF"), "other"),
    "git-lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "other"),
    "PDF document": (b"%PDF-1.7", "other"),
    "web page": (b"\n<!DOCTYPE html><title>Sign in</title>", "other"),
    "text file": ("BMI;größer\n".encode("cp1252"), "other"),
    "empty file": (b"", "other"),
    "file of unknown kind": (bytes(range(256)), "other"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_kind_is_recognized_by_the_start_of_the_file(name):
    content, role = CONTENTS[name]
    kind = kind_of(content[:HEAD_BYTES])
    assert (kind.name, kind.role) == (name, role)
    assert kind_of(content) == kind


def test_dicom_without_a_preamble_is_recognized():
    assert kind_of(b"\x08\0\x05\0CS\x0a\0ISO_IR 100").name == "DICOM file"
    assert kind_of(b"\0\x08\0\x05CS\0\x0aISO_IR 100").name == "DICOM file"
