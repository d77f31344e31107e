"""File type detection by content, independent of the file name."""

from __future__ import annotations

from typing import Literal

from spinealign.errors import UnreadableImageError, UnsupportedFormatError

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


def accepted_suffix(content: bytes, origin: str) -> Suffix:
    """Return `suffix_of` a file; `origin` names it in messages.

    Raises:
        UnsupportedFormatError: If it is of a known format that is not accepted.
        UnreadableImageError: If it is of another format.
    """
    if suffix := suffix_of(content):
        return suffix
    for signature, name in _OTHER_FORMATS.items():
        if content.startswith(signature):
            raise UnsupportedFormatError(f"{origin} is a {name}; save the slice as PNG, JPEG or DICOM.")
    raise UnreadableImageError(f"{origin} is not a PNG, JPEG or DICOM image; check the file.")


def is_dicom(content: bytes) -> bool:
    """Return whether the content looks like DICOM: a preamble, or a first tag of group 0002 or 0008."""
    return content[128:132] == b"DICM" or content[:2] in (b"\x02\0", b"\x08\0", b"\0\x08")
