"""Pseudonyms of the patients and series in DICOM headers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

from spinealign.imaging.muting import muted
from spinealign.reading.kinds import DICOM, kind_of


class Identity(NamedTuple):
    """Salted digests of the patient ID and the series UID, None if unknown; comparable only under the same salt."""

    patient: str | None = None
    series: str | None = None


def read_identity(content: bytes, salt: bytes) -> Identity:
    """Return the pseudonyms of a DICOM header; an empty `Identity` for other and damaged files.

    The salt must be random or otherwise secret, and must not be stored.
    """
    if kind_of(content) is not DICOM:
        return Identity()
    import pydicom

    try:
        with muted():
            header = pydicom.dcmread(BytesIO(content), force=True, stop_before_pixels=True)
            values = [str(header.get(name) or "").strip() for name in ("PatientID", "SeriesInstanceUID")]
    except Exception:  # damaged headers raise many types; reading the pixels reports them
        return Identity()
    return Identity(*(hashlib.blake2b(value.encode(), key=salt).hexdigest() if value else None for value in values))


def numbered(kind: str, digests: Sequence[str | None]) -> tuple[str | None, ...]:
    """Replace digests by numbered names, in order of first appearance; None stays None.

    Example:
        >>> numbered("patient", ["9f", None, "3a", "9f"])
        ('patient 1', None, 'patient 2', 'patient 1')
    """
    number = {digest: f"{kind} {index}" for index, digest in enumerate(dict.fromkeys(filter(None, digests)), start=1)}
    return tuple(number[digest] if digest else None for digest in digests)
