"""Tell patients and series of DICOM files apart without keeping who they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from spinealign.imaging.quiet import quiet
from spinealign.reading.kinds import is_dicom


@dataclass(frozen=True)
class Identity:
    """Salted digests: equal for equal headers under one salt, and meaningless under another.

    Attributes:
        patient: Digest of the patient's identifier, where the header has one.
        series: Digest of the series, where the header has one.
    """

    patient: str | None = None
    series: str | None = None


def read_identity(content: bytes, salt: bytes) -> Identity:
    """Return the identity in a DICOM header; an empty one for every other file.

    Args:
        content: The bytes of the file.
        salt: Random bytes, drawn anew for each collection and never stored.
    """
    if not is_dicom(content):
        return Identity()
    import pydicom

    try:
        with quiet("pydicom"):
            header = pydicom.dcmread(BytesIO(content), force=True, stop_before_pixels=True)
            values = [str(header.get(name) or "").strip() for name in ("PatientID", "SeriesInstanceUID")]
    except Exception:  # damaged headers raise almost anything; reading the pixels says so with a better message
        return Identity()
    return Identity(*(hashlib.blake2b(value.encode(), key=salt).hexdigest() if value else None for value in values))


def numbered(kind: str, digests: Sequence[str | None]) -> tuple[str | None, ...]:
    """Replace digests by numbers in their order, which identify nobody.

    Example:
        >>> numbered("patient", ["9f", None, "3a", "9f"])
        ('patient 1', None, 'patient 2', 'patient 1')
    """
    number = {digest: f"{kind} {place}" for place, digest in enumerate(dict.fromkeys(filter(None, digests)), start=1)}
    return tuple(number[digest] if digest else None for digest in digests)
