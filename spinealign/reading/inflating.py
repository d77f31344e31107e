"""Decompression within limits."""

from __future__ import annotations

import zlib

from spinealign.errors import UnreadableImageError
from spinealign.reading.request import Request

_FREE_BYTES, _RATIO = 64 * 1024**2, 100  # data that grow beyond both are a decompression bomb
_MEMBER = b"\x1f\x8b"  # start of a gzip file, of which several may follow each other
GZIP, RAW = 16 + zlib.MAX_WBITS, -zlib.MAX_WBITS  # with and without a header


def inflate(packed: bytes, request: Request, *, form: int) -> bytes:
    """Unpack deflated data in the `form` GZIP or RAW.

    Raises:
        UnreadableImageError: If the data are damaged, truncated, or a decompression bomb.
    """
    limit = max(_FREE_BYTES, _RATIO * len(packed))
    inflater, content = zlib.decompressobj(form), b""
    try:
        content = inflater.decompress(packed, limit + 1)
        while form == GZIP and inflater.unused_data.startswith(_MEMBER) and len(content) <= limit:
            rest, inflater = inflater.unused_data, zlib.decompressobj(form)
            content += inflater.decompress(rest, limit + 1 - len(content))
    except zlib.error:
        raise UnreadableImageError(f"{request.origin} is damaged; copy or export it again.") from None
    if len(content) > limit:
        raise UnreadableImageError(
            f"{request.origin} grows beyond {limit:,} bytes when it is unpacked; export it again."
        )
    if not inflater.eof:
        raise UnreadableImageError(f"{request.origin} is truncated; copy or export it again.")
    return content
