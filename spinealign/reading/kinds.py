"""File type detection by content, independent of the file name."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

from spinealign.errors import UnreadableImageError, UnsupportedFormatError

HEAD_BYTES = 1024  # enough of a file to detect its kind

Role = Literal["image", "volume", "archive", "other"]

_SAVE = "save the slice as PNG, TIFF or DICOM"
_EXTRACT = "extract it and pass a file in it"
_SAVE_VOLUME = "save it as NIfTI or DICOM"


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: Name for messages, such as `PNG image`.
        role: `image` for what `read_slice` reads, `volume` for what only `read_volume` reads, `archive` for a container
            of files, or `other`.
        suffix: Usual suffix; empty if there is none.
        remedy: What to do with a file that is not an image, as the end of a sentence.
    """

    name: str
    role: Role
    suffix: str = ""
    remedy: str = "pass an image file"


PNG, JPEG = Kind("PNG image", "image", ".png"), Kind("JPEG image", "image", ".jpg")
BMP, GIF = Kind("BMP image", "image", ".bmp"), Kind("GIF image", "image", ".gif")
TIFF, WEBP = Kind("TIFF image", "image", ".tif"), Kind("WebP image", "image", ".webp")
JPEG2000 = Kind("JPEG 2000 image", "image", ".jp2")
NPY = Kind("NumPy array", "image", ".npy")
DICOM = Kind("DICOM file", "image", ".dcm")
NIFTI = Kind("NIfTI volume", "volume", ".nii", "pass it to read_volume")
NIFTI_GZ = Kind("compressed NIfTI volume", "volume", ".nii.gz", "pass it to read_volume")
NIFTI_PAIR = Kind("NIfTI header without voxels", "other", ".hdr", "save it with its .img file as one .nii file")
ZIP = Kind("zip archive", "archive", ".zip", _EXTRACT)
TAR = Kind("tar archive", "archive", ".tar", _EXTRACT)
TAR_GZ = Kind("compressed tar archive", "archive", ".tar.gz", _EXTRACT)
DICOMDIR = Kind("DICOM directory", "other", remedy="pass one of the files that it lists")
NO_DICOM_IMAGE = Kind("DICOM object without an image", "other", ".dcm")
LFS_POINTER = Kind("git-lfs pointer", "other", remedy="run `git lfs pull` to fetch the image that it names")
EMPTY = Kind("empty file", "other", remedy="copy or export the image again")
GZIP = Kind("gzip file", "other", ".gz", _EXTRACT)
HEIC = Kind("HEIC image", "other", ".heic", "export it as JPEG or PNG, as phones do when they send a photograph")
AVIF = Kind("AVIF image", "other", ".avif", "export it as JPEG or PNG")
TEXT = Kind("text file", "other", ".txt")
UNKNOWN = Kind("file of unknown kind", "other", remedy="pass an image file, or export the image again if it is one")

_SIGNATURES = (  # offset, bytes, kind
    (128, b"DICM", DICOM),
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"GIF8", GIF),
    (0, b"II*\0", TIFF),
    (0, b"MM\0*", TIFF),
    (0, b"II+\0", TIFF),  # BigTIFF
    (0, b"MM\0+", TIFF),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", JPEG2000),
    (0, b"\xff\x4f\xff\x51", JPEG2000),  # without a container
    (0, b"\x93NUMPY", NPY),
    (0, b"PK\x03\x04", ZIP),
    (0, b"PK\x05\x06", ZIP),
    (0, b"version https://git-lfs", LFS_POINTER),
    (0, b"%PDF", Kind("PDF document", "other", ".pdf", _SAVE)),
    (0, b"8BPS", Kind("Photoshop document", "other", ".psd", _SAVE)),
    (0, b"NRRD", Kind("NRRD volume", "other", ".nrrd", _SAVE_VOLUME)),
    (0, b"ObjectType", Kind("MetaImage volume", "other", ".mha", _SAVE_VOLUME)),
    (0, b"\x89HDF", Kind("HDF5 file", "other", ".h5", _SAVE_VOLUME)),
    (0, b"\xff\x0a", Kind("JPEG XL image", "other", ".jxl", _SAVE)),
    (0, b"\0\0\0\x0cJXL ", Kind("JPEG XL image", "other", ".jxl", _SAVE)),
    (0, b"7z\xbc\xaf", Kind("7z archive", "other", ".7z", _EXTRACT)),
    (0, b"Rar!", Kind("RAR archive", "other", ".rar", _EXTRACT)),
    (0, b"BZh", Kind("bzip2 file", "other", ".bz2", _EXTRACT)),
    (0, b"\xfd7zXZ", Kind("xz file", "other", ".xz", _EXTRACT)),
    (0, b"\x28\xb5\x2f\xfd", Kind("Zstandard file", "other", ".zst", _EXTRACT)),
    (0, b"\x1f\x8b", GZIP),
    (8, b"WEBP", WEBP),
    (257, b"ustar", TAR),
    (344, b"n+1\0", NIFTI),
    (4, b"n+2\0", NIFTI),
    (344, b"ni1\0", NIFTI_PAIR),
    (4, b"ni2\0", NIFTI_PAIR),
    *((4, b"ftyp" + brand, AVIF) for brand in (b"avif", b"avis")),
    *((4, b"ftyp" + brand, HEIC) for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")),
)
WEB_PAGE = Kind("web page", "other", ".html", "download the image again, logged in if the site asks for it")
_NO_CONTENT = (LFS_POINTER, EMPTY, TEXT, UNKNOWN, WEB_PAGE)
_TEXT_BYTES = bytes({7, 8, 9, 10, 12, 13, 27, *range(32, 127), *range(128, 256)})
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # their sizes, because text may start with BM
_FIRST_TAGS = (b"\x02\0", b"\x08\0", b"\0\x08")  # group 0002 or 0008, in DICOM files without a preamble
# Media storage classes of DICOM (PS3.4 B.5, PS3.10) whose objects have no pixel data.
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_NOT_IMAGES = (
    *(_STORAGE + end for end in ("9.", "11.", "66.1", "66.2", "66.3", "66.5", "66.6", "67", "68.", "88.", "104.")),
    *(_STORAGE + end for end in ("481.3", "481.4", "481.5", "481.6", "481.7", "481.8", "481.9")),
)
_DICOMDIR_CLASS = "1.2.840.10008.1.3.10"


def kind_of(content: bytes) -> Kind:
    """Return the kind of a file from its content, of which the first `HEAD_BYTES` are enough.

    Example:
        >>> kind_of(b"GIF89a").name
        'GIF image'
    """
    head = content[:HEAD_BYTES]
    for offset, signature, kind in _SIGNATURES:
        if head.startswith(signature, offset):
            return _REFINED[kind](head) if kind in _REFINED else kind
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return BMP
    if head.startswith(_FIRST_TAGS):
        return DICOM
    return _text_kind(head) if head else EMPTY


def accepted_kind(content: bytes, origin: str) -> Kind:
    """Return the kind of an image file; `origin` names it in messages.

    Raises:
        UnsupportedFormatError: If it is of a known kind that is not an image.
        UnreadableImageError: If it is of another kind.
    """
    kind = kind_of(content)
    if kind.role == "image":
        return kind
    article = "an" if kind.name.startswith(("AVIF", "empty", "HDF5", "NRRD", "xz")) else "a"
    error = UnreadableImageError if kind in _NO_CONTENT else UnsupportedFormatError
    raise error(f"{origin} is {article} {kind.name}; {kind.remedy}.")


def _dicom_kind(head: bytes) -> Kind:
    """Return the kind of a DICOM file with a preamble by its media storage class, (0002,0002)."""
    start = head.find(b"\2\0\2\0UI") + 8
    length = int.from_bytes(head[start - 2 : start], "little") if start >= 8 else 0
    uid = head[start : start + length].decode("latin-1").rstrip("\0 ")
    if uid == _DICOMDIR_CLASS:
        return DICOMDIR
    return NO_DICOM_IMAGE if uid.startswith(_NOT_IMAGES) else DICOM


def _gzip_kind(head: bytes) -> Kind:
    try:
        inside = kind_of(zlib.decompressobj(31).decompress(head, HEAD_BYTES))
    except zlib.error:
        return GZIP
    return NIFTI_GZ if inside is NIFTI else TAR_GZ if inside is TAR else GZIP


def _text_kind(head: bytes) -> Kind:
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return WEB_PAGE
    is_text = head.startswith((b"\xff\xfe", b"\xfe\xff")) or not head.translate(None, _TEXT_BYTES)  # UTF-16, or others
    return TEXT if is_text else UNKNOWN


_REFINED = {DICOM: _dicom_kind, GZIP: _gzip_kind}
