"""One labeled image of a collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from spinealign.errors import UnreadableImageError

SPLITS = ("train", "calibration", "val", "test")


@dataclass(frozen=True)
class Sample:
    """One labeled image; its repr shows neither bytes nor the patient.

    Attributes:
        image: Path of the file, or its bytes if it is from the Hub.
        label: Name of the class.
        source: Name of the slice in the image; all copies of one slice have the same source.
        series: Name of the scan of the slice, if known.
        split: `train`, `calibration`, `val` or `test`; None before the collection is split.
        name: Name of the image in messages, unique in its collection.
        size_mm: Size of the finding in mm, if known.
        patient: Patient, if known: the name in a manifest, or a number made from a DICOM header.
        digest: Digest of the pixels (see `pixel_digest`); None before the image is read.
    """

    image: str | bytes = field(repr=False)
    label: str
    source: str
    series: str | None = None
    split: str | None = None
    name: str = ""
    size_mm: float | None = None
    patient: str | None = field(default=None, repr=False)
    digest: int | None = field(default=None, repr=False)

    def read(self) -> bytes:
        """Return the bytes of the image file.

        Raises:
            UnreadableImageError: If it cannot be opened.
        """
        if isinstance(self.image, bytes):
            return self.image
        try:
            return Path(self.image).read_bytes()
        except OSError as error:
            raise UnreadableImageError(f"{self.image} cannot be opened: {error.strerror}.") from error
