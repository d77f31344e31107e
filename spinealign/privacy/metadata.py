"""Name what a PNG or JPEG file holds beside its pixels; what stands in it never leaves this module."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from spinealign.reading.kinds import PNG_SIGNATURE

# What says how the pixels are to be shown, and is numbers alone. Everything else may hold words.
_PNG_CHUNKS = frozenset({
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"bKGD", b"cHRM", b"cICP", b"gAMA", b"hIST", b"pHYs", b"sBIT", b"sRGB", b"tRNS",
})  # fmt: skip
_CHUNK_NAMES = {
    b"tEXt": "text", b"zTXt": "text", b"iTXt": "text", b"eXIf": "Exif", b"iCCP": "color profile", b"tIME": "time",
}  # fmt: skip

_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")  # neither stuffing nor a restart of the compressed pixels
_END, _SCAN, _COMMENT = 0xD9, 0xDA, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_PLAIN_SEGMENTS = {0xE0: (b"JFIF\0", 16), 0xEE: (b"Adobe", 14)}  # start and size of those that hold numbers alone
_SEGMENT_NAMES = {0xE1: "Exif or XMP", 0xE2: "color profile", 0xED: "IPTC", _COMMENT: "comment"}
BEYOND = "bytes beyond the image"


def png_metadata(content: bytes) -> Iterator[str]:
    """Yield what a PNG file holds beside its pixels and how they are to be shown.

    Args:
        content: The bytes of the file.

    Raises:
        ValueError: If it ends too early.
    """
    place, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND":
        if place + 12 > len(content):
            raise ValueError("the last chunk is missing")
        size, kind = struct.unpack_from(">I4s", content, place)
        place += 12 + size
        if kind not in _PNG_CHUNKS:
            yield _CHUNK_NAMES.get(kind, "unknown chunk")
    if place != len(content):
        yield BEYOND


def jpeg_metadata(content: bytes) -> Iterator[str]:
    """Yield what a JPEG file holds beside its pixels and how they are to be shown.

    Args:
        content: The bytes of the file.

    Raises:
        ValueError: If it ends too early.
    """
    place, marker = 2, 0
    while marker != _END:
        found = _MARKER.search(content, place)
        if not found or len(content) < found.end() + 2 * (found[1][0] != _END):
            raise ValueError("the last segment is missing")
        if found.start() != place and marker != _SCAN:
            yield "bytes between segments"
        marker, place = found[1][0], found.end()
        if marker != _END:
            segment = content[place + 2 : place + int.from_bytes(content[place : place + 2], "big")]
            place += 2 + len(segment)
            yield from _segment_metadata(marker, segment)
    if place != len(content):
        yield BEYOND


def _segment_metadata(marker: int, segment: bytes) -> Iterator[str]:
    start, size = _PLAIN_SEGMENTS.get(marker, (b"", 0))
    plain = segment.startswith(start) and len(segment) + 2 == size
    if marker == _COMMENT or (marker in _APPLICATION and not plain):
        yield _SEGMENT_NAMES.get(marker, "application data")
