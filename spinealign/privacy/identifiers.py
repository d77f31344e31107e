"""Name what in an image file may tell who a patient is; what stands there never leaves this module."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

from spinealign.imaging.quiet import quiet
from spinealign.privacy.metadata import jpeg_metadata, png_metadata
from spinealign.reading.kinds import suffix_of

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset

# Whatever is written in words may name a person or a place, so words are let through by this list alone: of the
# machine, of how it made the image, of codes. The Basic Application Level Confidentiality Profile (DICOM PS3.15 table
# E.1-1) lists what is known to tell; people write names into far more.
_WORDS = frozenset({
    "CodeMeaning", "CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "ConvolutionKernel",
    "DeidentificationMethod", "FilterType", "ImplementationVersionName", "Manufacturer", "ManufacturerModelName",
    "RescaleType", "SoftwareVersions", "WindowCenterWidthExplanation",
})  # fmt: skip
_WORD_KINDS = frozenset({"AE", "AS", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UR", "UT"})
# Bytes may be a drawing over the image, a document or a name: these are the image and how it is shown.
_BYTES = frozenset({"FileMetaInformationVersion", "LUTData", "PixelData"})
_BYTE_KINDS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
# Terms that a standard defines (PS3.5 table 6.2-1) are short, but a short name is one as well.
_TERMS = frozenset({
    "AcquisitionType", "AnatomicalOrientationType", "AngioFlag", "BodyPartExamined", "BurnedInAnnotation",
    "ConversionType", "ExposureModulationType", "FrameType", "ImageLaterality", "ImageType",
    "InPlanePhaseEncodingDirection", "Laterality", "LongitudinalTemporalInformationModified", "LossyImageCompression",
    "LossyImageCompressionMethod", "MRAcquisitionType", "MappingResource", "Modality", "PatientIdentityRemoved",
    "PatientOrientation", "PatientPosition", "PatientSex", "PhotometricInterpretation", "PixelIntensityRelationship",
    "PixelPresentation", "PresentationIntentType", "PresentationLUTShape", "RotationDirection", "ScanOptions",
    "ScanningSequence", "SequenceVariant", "SpecificCharacterSet", "VOILUTFunction", "VariableFlipAngleFlag",
    "ViewPosition", "VolumeBasedCalculationTechnique", "VolumetricProperties",
})  # fmt: skip
_FORMS = {"CS": r"[A-Z0-9_ ]*", "TM": r"[0-9.: -]*", "UI": r"[0-9.]*"}
_DATES = frozenset({"DA", "DT"})
NO_IMAGE, UNREADABLE = "no PNG, JPEG or DICOM", "unreadable header"


def identifiers_in(content: bytes) -> tuple[str, ...]:
    """Name what in a file may identify the patient, beside what is drawn in the pixels.

    In a DICOM header, at any depth: everything that is written in words or bytes unless it is known to tell of the
    image, of machines and codes alone; ages, dates, elements that are private or that the standard does not know, terms
    that it does not define for an image, text burned into the image, and what stands before the header. Dates, but for
    that of birth, do not count where the header says that they were shifted (PS3.3 C.12.1.1.1). UIDs stay: they tell
    series apart. In a PNG or JPEG: text, Exif, XMP, comments, color profiles and whatever else is not the image.

    Args:
        content: The bytes of the file.

    Returns:
        Names of what was found, in alphabetical order; `unreadable header` where a file is damaged or a DICOM file
        holds no image, `no PNG, JPEG or DICOM` where it is none.
    """
    look = {".dcm": _in_dicom, ".png": png_metadata, ".jpg": jpeg_metadata}
    suffix = suffix_of(content)
    if suffix is None:
        return (NO_IMAGE,)
    try:
        return tuple(sorted(set(look[suffix](content))))
    except Exception:  # damaged files raise almost anything, and the text may quote them
        return (UNREADABLE,)


def _in_dicom(content: bytes) -> Iterator[str]:
    import pydicom

    with quiet("pydicom"):
        file = pydicom.dcmread(BytesIO(content), force=True)
        yield from _found(file)
        for element in getattr(file, "file_meta", None) or ():
            yield from _telling(element, shifted=False)
    if content[128:132] == b"DICM" and any(content[:128]):
        yield "preamble"


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
        (not element.keyword and element.tag.element != 0)  # the first of a group is the length of it
        or (element.VR in _WORD_KINDS and name not in _WORDS)
        or (element.VR in _BYTE_KINDS and name not in _BYTES)
        or (element.VR == "CS" and name not in _TERMS)
        or (element.VR in _DATES and not moved)
        or (name == "BurnedInAnnotation" and str(element.value).strip().upper() != "NO")
        or not _has_form(element)
    ):
        yield name


def _has_form(element: DataElement) -> bool:
    """Tell whether a value looks as those of its kind do (PS3.5 table 6.2-1), where this is more than numbers."""
    values = [element.value] if isinstance(element.value, str) else element.value
    form = _FORMS.get(element.VR)
    return form is None or all(re.fullmatch(form, str(value)) for value in values)
