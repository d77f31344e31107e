from __future__ import annotations

import gzip
from io import BytesIO

import pydicom
import pytest
from PIL import Image, PngImagePlugin
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from spinealign.privacy.identifiers import identifiers_in

TAGS = {"OverlayData": (0x60003000, "OB"), "unknown": (0x00185555, "OB"), "GroupLength": (0x00180000, "UL")}


def dicom(**elements) -> bytes:
    dataset = pydicom.Dataset()
    for name, value in elements.items():
        if name == "private":
            dataset.private_block(0x0009, "MAKER", create=True).add_new(1, "LO", value)
        elif name in TAGS:
            dataset.add_new(*TAGS[name], value)
        else:
            dataset.add(pydicom.DataElement(tag_for_keyword(name), dictionary_VR(name), value, validation_mode=IGNORE))
    dataset.PixelData = b"\0\0"
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    stream = BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=False, implicit_vr=False, little_endian=True)
    return b"\0" * 128 + b"DICM" + stream.getvalue().split(b"DICM", 1)[-1]


def nested() -> pydicom.Dataset:
    item = pydicom.Dataset()
    item.PersonName = "Roe^Richard"
    return item


def code() -> pydicom.Dataset:
    item = pydicom.Dataset()
    item.CodeMeaning, item.CodeValue, item.CodingSchemeDesignator, item.MappingResource = (
        "Neck",
        "45048000",
        "SCT",
        "DCMR",
    )
    return item


HEADERS = {
    "a name": ({"PatientName": "Doe^Jane"}, ("PatientName",)),
    "an identifier": ({"PatientID": "4711"}, ("PatientID",)),
    "a birth date": ({"PatientBirthDate": "19700101"}, ("PatientBirthDate",)),
    "a study date": ({"StudyDate": "20260101"}, ("StudyDate",)),
    "a shifted date": (
        {"StudyDate": "20260101", "LongitudinalTemporalInformationModified": "MODIFIED"}, (),
    ),
    "a physician": ({"ReferringPhysicianName": "Roe^Richard"}, ("ReferringPhysicianName",)),
    "a name in a sequence": ({"ContentCreatorIdentificationCodeSequence": [nested()]}, ("PersonName",)),
    "a hospital and an accession number": (
        {"InstitutionName": "General", "AccessionNumber": "7"}, ("AccessionNumber", "InstitutionName"),
    ),
    "a comment": ({"ImageComments": "Jane Doe, born 1950"}, ("ImageComments",)),
    "a study description": ({"StudyDescription": "C-spine Doe"}, ("StudyDescription",)),
    "an order number": ({"RequestedProcedureID": "4711"}, ("RequestedProcedureID",)),
    "a birth date marked as shifted": (
        {"PatientBirthDate": "19700101", "LongitudinalTemporalInformationModified": "MODIFIED"}, ("PatientBirthDate",),
    ),
    "a date marked as removed": (
        {"StudyDate": "20260101", "LongitudinalTemporalInformationModified": "REMOVED"}, ("StudyDate",),
    ),
    "manufacturer and kernel": ({"Manufacturer": "ACME", "ConvolutionKernel": "B60s"}, ()),
    "a private element": ({"private": "Jane Doe"}, ("private elements",)),
    "burned-in text": ({"BurnedInAnnotation": "YES"}, ("BurnedInAnnotation",)),
    "burned-in text in lower case": ({"BurnedInAnnotation": "yes"}, ("BurnedInAnnotation",)),
    "an age": ({"PatientAge": "091Y"}, ("PatientAge",)),
    "an overlay": ({"OverlayData": b"Jane"}, ("unknown elements",)),
    "trailing padding": ({"DataSetTrailingPadding": b"Jane Doe"}, ("DataSetTrailingPadding",)),
    "an unknown element": ({"unknown": b"Jane Doe"}, ("unknown elements",)),
    "a document": ({"EncapsulatedDocument": b"%PDF"}, ("EncapsulatedDocument",)),
    "a code string about the person": ({"SmokingStatus": "YES"}, ("SmokingStatus",)),
    "an invalid code string": ({"BodyPartExamined": "Neck of Jane"}, ("BodyPartExamined",)),
    "one invalid code string of several": ({"ImageType": ["ORIGINAL", "Doe^Jane"]}, ("ImageType",)),
    "an invalid UID": ({"SeriesInstanceUID": "1.2.Jane"}, ("SeriesInstanceUID",)),
    "an invalid time": ({"StudyTime": "Jane"}, ("StudyTime",)),
    "no identifiers": (
        {"PatientName": "", "PatientID": "", "PatientSex": "F", "Modality": "CT",
         "StudyDate": "", "StudyTime": "101112.5", "SeriesInstanceUID": "1.2.3", "BurnedInAnnotation": "NO",
         "ImageType": ["ORIGINAL", "PRIMARY"], "RescaleType": "HU", "GroupLength": 4,
         "ConceptNameCodeSequence": [code()]}, (),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("elements", "expected"), HEADERS.values(), ids=HEADERS)
def test_identifying_elements_are_named_not_quoted(elements, expected):
    assert identifiers_in(dicom(**elements)) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Jane Doe, born 1950",
        b"%PDF-1.7 Jane Doe",
        gzip.compress(dicom(PatientName="Doe^Jane")),
        b"some words" + dicom(PatientName="Doe^Jane"),
        dicom(PatientName="Doe^Jane")[140:],
        b"\x89PNG and so on",
    ],
    ids=["empty", "text", "PDF", "compressed DICOM", "text before DICOM", "end of DICOM", "half a signature"],
)
def test_other_files_are_not_trusted(content):
    assert identifiers_in(content) == ("not a PNG, JPEG or DICOM file",)


def picture(kind, **options):
    stream = BytesIO()
    Image.new("L", (16, 16), 99).save(stream, kind, **options)
    return stream.getvalue()


def png_text(zipped=False):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Comment", "Jane Doe", zip=zipped)
    return chunks


def chunk(kind, body):
    chunks = PngImagePlugin.PngInfo()
    chunks.add(kind, body)
    return chunks


EXIF = Image.Exif()
EXIF[0x010E] = "Jane Doe"
PICTURES = {
    "PNG": (picture("PNG", dpi=(96, 96)), ()),
    "JPEG": (picture("JPEG", quality=90), ()),
    "progressive JPEG": (picture("JPEG", progressive=True), ()),
    "text in PNG": (picture("PNG", pnginfo=png_text()), ("text",)),
    "compressed text in PNG": (picture("PNG", pnginfo=png_text(zipped=True)), ("text",)),
    "Exif in PNG": (picture("PNG", exif=EXIF), ("Exif",)),
    "a color profile in PNG": (picture("PNG", icc_profile=b"Jane Doe"), ("color profile",)),
    "private chunk in PNG": (picture("PNG", pnginfo=chunk(b"doEs", b"Jane")), ("unknown chunk",)),
    "text after PNG": (picture("PNG") + b"Jane Doe", ("bytes after the image",)),
    "half a PNG": (picture("PNG")[:-6], ("unreadable header",)),
    "text with PNG signature": (b"\x89PNG\r\n\x1a\nJane Doe, born 1950", ("unreadable header",)),
    "a comment in JPEG": (picture("JPEG", comment=b"Jane Doe"), ("comment",)),
    "Exif in JPEG": (picture("JPEG", exif=EXIF), ("Exif or XMP",)),
    "XMP in JPEG": (picture("JPEG", xmp=b"Jane Doe"), ("Exif or XMP",)),
    "a color profile in JPEG": (picture("JPEG", icc_profile=b"Jane Doe"), ("color profile",)),
    "private segment in JPEG": (picture("JPEG", extra=b"\xff\xe5\0\x06Jane"), ("application data",)),
    "text after JPEG": (picture("JPEG") + b"Jane Doe", ("bytes after the image",)),
    "text between JPEG segments": (b"\xff\xd8Jane" + picture("JPEG")[2:], ("not a PNG, JPEG or DICOM file",)),
    "half a JPEG": (picture("JPEG")[:-2], ("unreadable header",)),
    "text with JPEG signature": (b"\xff\xd8\xffJane Doe, born 1950", ("unreadable header",)),
}  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), PICTURES.values(), ids=PICTURES)
def test_image_metadata_is_named_not_quoted(content, expected):
    assert identifiers_in(content) == expected


def test_damaged_header_is_not_trusted():
    assert identifiers_in(b"\0" * 128 + b"DICM" + b"\xff" * 40) == ("unreadable header",)
    assert identifiers_in(dicom(Modality="CT")[:-20]) == ("unreadable header",)


def test_preamble_with_content_is_found():
    clean = dicom(Modality="CT")
    assert identifiers_in(clean) == ()
    assert identifiers_in(b"Jane Doe".ljust(128, b"\0") + clean[128:]) == ("preamble",)
