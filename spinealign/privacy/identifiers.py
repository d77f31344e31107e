"""Detection of metadata that may identify a patient. Only names of elements leave this module, never their values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

from spinealign.imaging.muting import quiet
from spinealign.privacy.metadata import jpeg_metadata, png_metadata
from spinealign.reading.kinds import suffix_of

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset

# Text elements that are allowed: device, acquisition, codes. Any other text may name a person or a place. This is
# stricter than the Basic Application Level Confidentiality Profile (DICOM PS3.15 table E.1-1), because names are also
# found in elements that it does not list.
_TEXT_ELEMENTS = frozenset({
    "CodeMeaning", "CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "ConvolutionKernel",
    "DeidentificationMethod", "FilterType", "ImplementationVersionName", "Manufacturer", "ManufacturerModelName",
    "RescaleType", "SoftwareVersions", "WindowCenterWidthExplanation",
})  # fmt: skip
_TEXT_VRS = frozenset({"AE", "AS", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UR", "UT"})
# Binary elements that are allowed: pixels and lookup tables. Others may be an overlay, a document or a name.
_BINARY_ELEMENTS = frozenset({"FileMetaInformationVersion", "LUTData", "PixelData"})
_BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
# Code strings (PS3.5 table 6.2-1) that are allowed. A short name is a valid code string, too.
_CODE_STRINGS = frozenset({
    "AcquisitionType", "AnatomicalOrientationType", "AngioFlag", "BodyPartExamined", "BurnedInAnnotation",
    "ConversionType", "ExposureModulationType", "FrameType", "ImageLaterality", "ImageType",
    "InPlanePhaseEncodingDirection", "Laterality", "LongitudinalTemporalInformationModified", "LossyImageCompression",
    "LossyImageCompressionMethod", "MRAcquisitionType", "MappingResource", "Modality", "PatientIdentityRemoved",
    "PatientOrientation", "PatientPosition", "PatientSex", "PhotometricInterpretation", "PixelIntensityRelationship",
    "PixelPresentation", "PresentationIntentType", "PresentationLUTShape", "RotationDirection", "ScanOptions",
    "ScanningSequence", "SequenceVariant", "SpecificCharacterSet", "VOILUTFunction", "VariableFlipAngleFlag",
    "ViewPosition", "VolumeBasedCalculationTechnique", "VolumetricProperties",
})  # fmt: skip
_PATTERNS = {"CS": r"[A-Z0-9_ ]*", "TM": r"[0-9.: -]*", "UI": r"[0-9.]*"}
_DATE_VRS = frozenset({"DA", "DT"})
NO_IMAGE, UNREADABLE = "not a PNG, JPEG or DICOM file", "unreadable header"


def identifiers_in(content: bytes) -> tuple[str, ...]:
    """List the metadata of a file that may identify the patient. The pixels are not examined.

    In a DICOM header, at any nesting depth: text and binary elements that are not on a list of allowed ones, ages,
    dates, private and unknown elements, code strings that are not on the list, burned-in text, and a preamble that is
    not empty. Dates other than the birth date are allowed if the header says that they were shifted (PS3.3 C.12.1.1.1).
    UIDs are allowed, because they distinguish series. In a PNG or JPEG: text, Exif, XMP, comments, color profiles and
    everything else that is not needed to show the image.

    Args:
        content: Bytes of the file.

    Returns:
        Names of the elements found, sorted; `UNREADABLE` for a damaged file or a DICOM file without pixels, `NO_IMAGE`
        for other content.
    """
    detect = {".dcm": _dicom_identifiers, ".png": png_metadata, ".jpg": jpeg_metadata}
    suffix = suffix_of(content)
    if suffix is None:
        return (NO_IMAGE,)
    try:
        return tuple(sorted(set(detect[suffix](content))))
    except Exception:  # damaged files raise many types, and the text may quote them
        return (UNREADABLE,)


def _dicom_identifiers(content: bytes) -> Iterator[str]:
    import pydicom

    with quiet("pydicom"):
        file = pydicom.dcmread(BytesIO(content), force=True)
        yield from _dataset_identifiers(file)
        for element in getattr(file, "file_meta", None) or ():
            yield from _element_identifiers(element, shifted=False)
    if content[128:132] == b"DICM" and any(content[:128]):
        yield "preamble"


def _dataset_identifiers(dataset: Dataset) -> Iterator[str]:
    if "PixelData" not in dataset:  # the pixels come last, so without them the header may be incomplete
        yield UNREADABLE
    shifted = str(dataset.get("LongitudinalTemporalInformationModified") or "") == "MODIFIED"
    for element in dataset.iterall():
        yield from _element_identifiers(element, shifted=shifted)


def _element_identifiers(element: DataElement, *, shifted: bool) -> Iterator[str]:
    if element.VR == "SQ" or element.is_empty or not str(element.value).strip():
        return
    name, is_shifted = element.keyword or "unknown elements", shifted and element.keyword != "PatientBirthDate"
    if element.tag.is_private:
        yield "private elements"
    elif (
        (not element.keyword and element.tag.element != 0)  # element 0 of a group is its length
        or (element.VR in _TEXT_VRS and name not in _TEXT_ELEMENTS)
        or (element.VR in _BINARY_VRS and name not in _BINARY_ELEMENTS)
        or (element.VR == "CS" and name not in _CODE_STRINGS)
        or (element.VR in _DATE_VRS and not is_shifted)
        or (name == "BurnedInAnnotation" and str(element.value).strip().upper() != "NO")
        or not _has_valid_form(element)
    ):
        yield name


def _has_valid_form(element: DataElement) -> bool:
    """Return whether the values match the pattern of their value representation (PS3.5 table 6.2-1)."""
    values = [element.value] if isinstance(element.value, str) else element.value
    pattern = _PATTERNS.get(element.VR)
    return pattern is None or all(re.fullmatch(pattern, str(value)) for value in values)
