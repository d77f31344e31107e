"""Image sizes in the headers of JPEG, JPEG-LS and JPEG 2000 data, to check them before a decoder allocates memory."""

from __future__ import annotations

_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # start of frame; C4, C8 and CC are other segments
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment


def coded_size(content: bytes) -> tuple[int, int] | None:
    """Return height and width of coded image data; None if the data are of another kind or damaged."""
    if content.startswith(b"\xff\x4f\xff\x51") or content[4:8] == b"jP  ":
        start = content.find(b"\xff\x51") + 6  # after the marker, the length and the capabilities
        right, bottom, left, top = (int.from_bytes(content[at : at + 4], "big") for at in range(start, start + 16, 4))
        return max(bottom - top, 0), max(right - left, 0)
    return _jpeg_size(content) if content.startswith(b"\xff\xd8") else None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker in _FRAMES:
            height, width = (int.from_bytes(content[at : at + 2], "big") for at in (place + 5, place + 7))
            return height, width
        place += 1 if marker == 0xFF else 2  # 0xFF may be repeated before a marker
        if marker not in _ALONE and marker != 0xFF:
            place += int.from_bytes(content[place : place + 2], "big")
    return None
