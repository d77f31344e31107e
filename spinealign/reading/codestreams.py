"""Headers of JPEG, JPEG-LS and JPEG 2000 data, to check them before a decoder trusts them."""

from __future__ import annotations

from typing import NamedTuple

_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # start of frame; C4, C8 and CC are other segments
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment


class CodedImage(NamedTuple):
    """Size and depth of a coded image."""

    height: int
    width: int
    channels: int
    bits: int


def coded_image(content: bytes) -> CodedImage | None:
    """Return what the header of coded image data says; None if the data are of another kind or damaged."""
    if content.startswith(b"\xff\x4f\xff\x51") or content[4:8] == b"jP  ":
        start = content.find(b"\xff\x51") + 6  # after the marker, the length and the capabilities
        right, bottom, left, top = (int.from_bytes(content[at : at + 4], "big") for at in range(start, start + 16, 4))
        channels = int.from_bytes(content[start + 32 : start + 34], "big")
        bits = (int.from_bytes(content[start + 34 : start + 35], "big") & 0x7F) + 1
        return CodedImage(bottom - top, right - left, channels, bits)
    return _jpeg(content) if content.startswith(b"\xff\xd8") else None


def _jpeg(content: bytes) -> CodedImage | None:
    place = 2
    while place + 10 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker in _FRAMES:
            height, width = (int.from_bytes(content[at : at + 2], "big") for at in (place + 5, place + 7))
            return CodedImage(height, width, content[place + 9], content[place + 4])
        place += 1 if marker == 0xFF else 2  # 0xFF may be repeated before a marker
        if marker not in _ALONE and marker != 0xFF:
            place += int.from_bytes(content[place : place + 2], "big")
    return None
