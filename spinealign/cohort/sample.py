"""One labelled image of a collection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spinealign.errors import UnreadableSliceError

SPLITS = ("train", "calibration", "val", "test")


@dataclass(frozen=True)
class Sample:
    """One labelled image.

    Attributes:
        image: Path of the file, or its bytes where it came from the Hub.
        label: Name of its class.
        source: Name of the slice it shows; all copies of one slice share it.
        series: Name of the scan the slice is from, where known.
        split: `train`, `calibration`, `val` or `test`; None before the collection is split.
        name: What people call it in messages.
        size_mm: Size of its finding in mm, where known.
        patient: Who it is of, where known: a name that a manifest gives, or a number made from a DICOM header.
    """

    image: str | bytes
    label: str
    source: str
    series: str | None = None
    split: str | None = None
    name: str = ""
    size_mm: float | None = None
    patient: str | None = None

    def read(self) -> bytes:
        """Return the bytes of the image file.

        Raises:
            UnreadableSliceError: If it cannot be opened.
        """
        if isinstance(self.image, bytes):
            return self.image
        try:
            return Path(self.image).read_bytes()
        except OSError as error:
            raise UnreadableSliceError(f"{self.image} cannot be opened: {error.strerror}.") from error
