"""Tell what kind of image a file is by its content, whatever its name says."""

from __future__ import annotations

from typing import Literal

Suffix = Literal[".png", ".jpg", ".dcm"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8\xff"


def suffix_of(content: bytes) -> Suffix | None:
    """Return the suffix that fits the bytes; None where they begin like no kind that `read_slice` takes.

    Example:
        >>> suffix_of(b"GIF89a") is None
        True
    """
    if is_dicom(content):
        return ".dcm"
    if content.startswith(PNG_SIGNATURE):
        return ".png"
    return ".jpg" if content.startswith(_JPEG_START) else None


def is_dicom(content: bytes) -> bool:
    """Tell whether the bytes look like DICOM: by the preamble, or by a first tag of group 0002 or 0008."""
    return content[128:132] == b"DICM" or content[:2] in (b"\x02\0", b"\x08\0", b"\0\x08")
