"""File type detection by content, independent of the file name."""

from __future__ import annotations

from typing import Literal

Suffix = Literal[".png", ".jpg", ".dcm"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_OTHER_FORMATS = {
    b"GIF8": "GIF image",
    b"BM": "BMP image",
    b"II*\0": "TIFF image",
    b"MM\0*": "TIFF image",
    b"RIFF": "WebP image",
    b"%PDF": "PDF document",
    b"\x1f\x8b": "gzip file (perhaps a NIfTI volume)",
    b"PK\x03\x04": "zip archive",
}


def suffix_of(content: bytes) -> Suffix | None:
    """Return the file suffix of the format that `read_slice` accepts, or None for other content.

    Example:
        >>> suffix_of(b"GIF89a") is None
        True
    """
    if is_dicom(content):
        return ".dcm"
    if content.startswith(PNG_SIGNATURE):
        return ".png"
    return ".jpg" if content.startswith(_JPEG_SIGNATURE) else None


def other_format(content: bytes) -> str | None:
    """Return the name of a known format that `read_slice` does not accept, or None for other content."""
    return next((name for signature, name in _OTHER_FORMATS.items() if content.startswith(signature)), None)


def is_dicom(content: bytes) -> bool:
    """Return whether the content looks like DICOM: a preamble, or a first tag of group 0002 or 0008."""
    return content[128:132] == b"DICM" or content[:2] in (b"\x02\0", b"\x08\0", b"\0\x08")
