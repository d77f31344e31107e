"""Rewriting of image files from their pixels, so that nothing that may identify the patient is left.

A picture becomes a PNG of the decoded pixels, or a TIFF if these are signed or floating-point numbers. A DICOM file
becomes an uncompressed one with the decoded pixels and the header elements listed here: numbers, defined terms, a
pseudonym of the patient and new UIDs, and no other text.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.errors import UnsupportedFormatError
from spinealign.privacy.pseudonyms import read_identity
from spinealign.reading.dicom import color_frame, decode_frame, open_dicom, read_frame
from spinealign.reading.header import MODALITIES, FrameHeader
from spinealign.reading.kinds import DICOM, accepted_kind
from spinealign.reading.raster import decode_raster
from spinealign.reading.request import Request

if TYPE_CHECKING:
    from pydicom import Dataset

_NUMBERS = (
    "AcquisitionNumber", "EchoTime", "EchoTrainLength", "Exposure", "ExposureTime", "FlipAngle",
    "GantryDetectorTilt", "ImageOrientationPatient", "ImagePositionPatient", "ImagerPixelSpacing", "InstanceNumber",
    "InversionTime", "KVP", "MagneticFieldStrength", "PixelSpacing", "ReconstructionDiameter", "RepetitionTime",
    "RescaleIntercept", "RescaleSlope", "SeriesNumber", "SliceLocation", "SliceThickness", "SpacingBetweenSlices",
    "WindowCenter", "WindowWidth", "XRayTubeCurrent",
)  # fmt: skip
_NUMBER = re.compile(r"[-+0-9.eE]{1,64}")
_TERMS = {
    "BodyPartExamined": {"CHEST", "CSPINE", "CTSPINE", "HEAD", "HEADNECK", "LSPINE", "LSSPINE", "NECK", "PELVIS",
                         "SPINE", "SSPINE", "TLSPINE", "TSPINE"},
    "BurnedInAnnotation": {"NO"},
    "ImageLaterality": {"B", "L", "R", "U"},
    "ImageType": {"AXIAL", "DERIVED", "LOCALIZER", "MPR", "ORIGINAL", "PRIMARY", "REFORMATTED", "SECONDARY"},
    "LossyImageCompression": {"00", "01"},
    "MRAcquisitionType": {"2D", "3D"},
    "Modality": MODALITIES,
    "PatientPosition": {"FFDL", "FFDR", "FFP", "FFS", "HFDL", "HFDR", "HFP", "HFS"},
    "PhotometricInterpretation": {"MONOCHROME1", "MONOCHROME2"},
    "RescaleType": {"HU", "US"},
    "ScanningSequence": {"EP", "GR", "IR", "RM", "SE"},
    "ViewPosition": {"AP", "LL", "LLD", "LLO", "PA", "RL", "RLD", "RLO"},
    "VOILUTFunction": {"LINEAR", "LINEAR_EXACT", "SIGMOID"},
}  # fmt: skip
_UIDS = ("FrameOfReferenceUID", "SeriesInstanceUID", "StudyInstanceUID")


def rewrite(content: bytes, salt: bytes, *, origin: str) -> bytes:
    """Return an image file with the same pixels and without anything that may identify the patient.

    `read_slice` returns the same pixels for both. Text that is visible in the pixels is not found.

    Args:
        content: Bytes of an image file that `read_slice` accepts.
        salt: Secret bytes from which the pseudonyms of the patient, study and series are derived. Under one salt, files
            of one patient or series stay together.
        origin: Name of the image in messages.

    Returns:
        Bytes of a PNG, TIFF or DICOM file.

    Raises:
        ImageError: If the file cannot be read, or its header declares text in the pixels.
    """
    request = Request(origin)
    if accepted_kind(content, origin) is DICOM:
        return _rewrite_dicom(content, salt, request)
    shown = decode_raster(content, request)
    return _picture(np.asarray(shown), "TIFF" if shown.mode in ("I", "F") else "PNG")  # PNG has whole numbers only


def _picture(pixels: NDArray[Any], form: str) -> bytes:
    """Return a new image file, which has no metadata."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


def _rewrite_dicom(content: bytes, salt: bytes, request: Request) -> bytes:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    patient = read_identity(content, salt).patient
    with open_dicom(content, request) as source:
        header = FrameHeader(source)
        if header.text("BurnedInAnnotation") == "YES":
            raise UnsupportedFormatError(
                f"{request.origin} has text in its pixels (BurnedInAnnotation is YES); remove the text or leave the "
                "file out."
            )
        pixels = decode_frame(source, request)
        if (color := color_frame(source, pixels)) is not None:
            return _picture(color, "PNG")
        if pixels.dtype.kind == "f":
            return _picture(pixels.astype(np.float32), "TIFF")
        frame = read_frame(pixels, source, header=header)
        bits = frame.table_bits or int(source.BitsStored)
        target = _allowed(header, salt)
        if frame.table_bits:
            pixels = frame.values.astype(np.uint16)
            if "RescaleIntercept" in target:  # the table replaces it
                target.RescaleIntercept, target.RescaleSlope = 0, 1
            if not frame.assumed and "WindowWidth" not in target:  # the table gives the range too
                target.WindowCenter, target.WindowWidth = 2 ** (bits - 1), 2**bits
        elif frame.padding is not None:
            for name, value in zip(("PixelPaddingValue", "PixelPaddingRangeLimit"), _ends(pixels[frame.padding])):
                target.add_new(name, "SS" if pixels.dtype.kind == "i" else "US", value)
        target.Rows, target.Columns = pixels.shape
        target.SamplesPerPixel, target.BitsAllocated, target.BitsStored = 1, 8 * pixels.dtype.itemsize, bits
        target.HighBit, target.PixelRepresentation = bits - 1, int(pixels.dtype.kind == "i")
        target.add_new("PixelData", "OW", pixels.astype(pixels.dtype.newbyteorder("<")).tobytes())
        target.SOPInstanceUID = generate_uid(entropy_srcs=[salt.hex(), hashlib.sha256(content).hexdigest()])
        target.SOPClassUID = _storage_class(header, hounsfield=frame.hounsfield)
        if patient:
            target.PatientID = patient[:16]
        target.PatientIdentityRemoved, target.DeidentificationMethod = "YES", "rewritten by spinealign"
        target.file_meta = FileMetaDataset()
        target.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        stream = BytesIO()
        target.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _ends(values: NDArray[Any]) -> tuple[int, int]:
    return int(values.min()), int(values.max())


def _storage_class(header: FrameHeader, *, hounsfield: bool) -> str:
    """Return the class of the copy, which has one frame and no functional groups."""
    from pydicom.uid import CTImageStorage, MRImageStorage, SecondaryCaptureImageStorage, UID_dictionary

    original = header.text("SOPClassUID")
    if original in UID_dictionary and not header.has_groups:
        return original
    if hounsfield:
        return CTImageStorage
    return MRImageStorage if header.modality == "MR" else SecondaryCaptureImageStorage


def _allowed(header: FrameHeader, salt: bytes) -> Dataset:
    """Return the numbers and terms of a header, with new UIDs."""
    from pydicom import Dataset
    from pydicom.datadict import dictionary_VR
    from pydicom.uid import generate_uid
    from pydicom.valuerep import DSfloat

    target = Dataset()
    for name in _NUMBERS:
        values, whole = header.texts(name), dictionary_VR(name) == "IS"
        if values and all(map(_NUMBER.fullmatch, values)):
            with suppress(ValueError, OverflowError):  # such as 1.5.2
                setattr(target, name, [int(float(v)) if whole else DSfloat(v, auto_format=True) for v in values])
    for name, terms in _TERMS.items():
        if values := [value for value in header.texts(name) if value in terms]:
            setattr(target, name, values)
    for name, default in (("Modality", "OT"), ("PhotometricInterpretation", "MONOCHROME2")):
        if header.texts(name) and name not in target:
            setattr(target, name, default)
    for name in _UIDS:
        if values := header.texts(name):
            setattr(target, name, generate_uid(entropy_srcs=[salt.hex(), values[0]]))
    return target
