"""Name the elements of a DICOM header that may tell who a patient is; their values never leave this module."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

from spinealign.imaging.dicom import is_dicom
from spinealign.imaging.quiet import quiet

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset

# Whatever is written in words may name a person or a place, so words are let through by this list alone: of the
# machine, of how it made the image, of codes. The Basic Application Level Confidentiality Profile (DICOM PS3.15 table
# E.1-1) lists what is known to tell; people write names into far more.
_WORDS = frozenset({
    "CodeMeaning", "CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "ConvolutionKernel",
    "DeidentificationMethod", "FilterType", "ImplementationVersionName", "Manufacturer", "ManufacturerModelName",
    "MappingResource", "SoftwareVersions", "WindowCenterWidthExplanation",
})  # fmt: skip
_WORD_KINDS = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UR", "UT"})
UNREADABLE = "unreadable header"
_DATES = frozenset({"DA", "DT"})


def identifiers_in(content: bytes) -> tuple[str, ...]:
    """Name what may identify the patient in a DICOM header, at any depth; nothing for every other file.

    Everything that is written in words counts unless it is known to tell of machines and codes alone; dates, private
    elements, text burned into the image and what stands before the header do too. Dates, but for that of birth, do not
    where the header says that they were shifted (PS3.3 C.12.1.1.1). UIDs stay: they tell series apart.

    Args:
        content: The bytes of the file.

    Returns:
        Keywords of the elements that are not empty, in alphabetical order; `unreadable header` where it is damaged or
        belongs to no image.
    """
    if not is_dicom(content):
        return ()
    import pydicom

    try:
        with quiet("pydicom"):
            file = pydicom.dcmread(BytesIO(content), force=True)
            meta = getattr(file, "file_meta", None) or ()
            preamble = {"preamble"} if content[128:132] == b"DICM" and any(content[:128]) else set()
            found = {*_found(file), *(name for element in meta for name in _telling(element, shifted=False))}
            return tuple(sorted(found | preamble))
    except Exception:  # damaged headers raise almost anything, and the text may quote them
        return (UNREADABLE,)


def _found(dataset: Dataset) -> Iterator[str]:
    if "PixelData" not in dataset:  # it is the last of all: what ends before it was not read to its end
        yield UNREADABLE
    shifted = str(dataset.get("LongitudinalTemporalInformationModified") or "") == "MODIFIED"
    for element in dataset.iterall():
        yield from _telling(element, shifted=shifted)


def _telling(element: DataElement, *, shifted: bool) -> Iterator[str]:
    if element.VR == "SQ" or element.is_empty or not str(element.value).strip():
        return
    name, moved = element.keyword or "unknown elements", shifted and element.keyword != "PatientBirthDate"
    if element.tag.is_private:
        yield "private elements"
    elif (
        (element.VR in _WORD_KINDS and name not in _WORDS)
        or (element.VR in _DATES and not moved)
        or (element.keyword == "BurnedInAnnotation" and element.value == "YES")
    ):
        yield name
