"""Detection of metadata in PNG and JPEG files. Only kinds of metadata leave this module, never their content."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from spinealign.reading.kinds import PNG_SIGNATURE

# Chunks that are needed to show the image and contain only numbers. All others may contain text.
_PNG_CHUNKS = frozenset({
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"bKGD", b"cHRM", b"cICP", b"gAMA", b"hIST", b"pHYs", b"sBIT", b"sRGB", b"tRNS",
})  # fmt: skip
_CHUNK_NAMES = {
    b"tEXt": "text", b"zTXt": "text", b"iTXt": "text", b"eXIf": "Exif", b"iCCP": "color profile", b"tIME": "time",
}  # fmt: skip

_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")  # no byte stuffing and no restart marker of the compressed pixels
_END, _SCAN, _COMMENT = 0xD9, 0xDA, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_PLAIN_SEGMENTS = {0xE0: (b"JFIF\0", 16), 0xEE: (b"Adobe", 14)}  # prefix and size of segments that contain only numbers
_SEGMENT_NAMES = {0xE1: "Exif or XMP", 0xE2: "color profile", 0xED: "IPTC", _COMMENT: "comment"}
BEYOND = "bytes after the image"


def png_metadata(content: bytes) -> Iterator[str]:
    """Yield the kinds of metadata in a PNG file.

    Raises:
        ValueError: If the file is truncated.
    """
    offset, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND":
        if offset + 12 > len(content):
            raise ValueError("the last chunk is missing")
        size, kind = struct.unpack_from(">I4s", content, offset)
        offset += 12 + size
        if kind not in _PNG_CHUNKS:
            yield _CHUNK_NAMES.get(kind, "unknown chunk")
    if offset != len(content):
        yield BEYOND


def jpeg_metadata(content: bytes) -> Iterator[str]:
    """Yield the kinds of metadata in a JPEG file.

    Raises:
        ValueError: If the file is truncated.
    """
    offset, marker = 2, 0
    while marker != _END:
        found = _MARKER.search(content, offset)
        if not found or len(content) < found.end() + 2 * (found[1][0] != _END):
            raise ValueError("the last segment is missing")
        if found.start() != offset and marker != _SCAN:
            yield "bytes between segments"
        marker, offset = found[1][0], found.end()
        if marker != _END:
            segment = content[offset + 2 : offset + int.from_bytes(content[offset : offset + 2], "big")]
            offset += 2 + len(segment)
            yield from _segment_metadata(marker, segment)
    if offset != len(content):
        yield BEYOND


def _segment_metadata(marker: int, segment: bytes) -> Iterator[str]:
    prefix, size = _PLAIN_SEGMENTS.get(marker, (b"", 0))
    plain = segment.startswith(prefix) and len(segment) + 2 == size
    if marker == _COMMENT or (marker in _APPLICATION and not plain):
        yield _SEGMENT_NAMES.get(marker, "application data")
