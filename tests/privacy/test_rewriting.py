from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pydicom
import pytest
from PIL import Image, PngImagePlugin
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from spinealign import read_slice
from spinealign.errors import ImageError, UnsupportedFormatError
from spinealign.privacy.pseudonyms import read_identity
from spinealign.privacy.rewriting import rewrite

SALT = b"salt"
TAGS = {"OverlayData": (0x60003000, "OB"), "unknown": (0x00185555, "OB"), "GroupLength": (0x00180000, "UL")}
STORED = np.arange(16 * 16, dtype="<i2").reshape(16, 16) * 9
IMAGE = {
    "Rows": 16, "Columns": 16, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16,
    "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1, "Modality": "CT", "RescaleSlope": "1.5",
    "RescaleIntercept": "-1024", "PixelSpacing": [0.5, 0.25],
}  # fmt: skip


def dicom(**elements) -> bytes:
    """Return a CT image with these elements, also of values that the standard forbids."""
    dataset = pydicom.Dataset()
    for name, value in {**IMAGE, **elements}.items():
        if name == "private":
            dataset.private_block(0x0009, "MAKER", create=True).add_new(1, "LO", value)
        elif name in TAGS:
            dataset.add_new(*TAGS[name], value)
        elif name != "PixelData":
            dataset.add(pydicom.DataElement(tag_for_keyword(name), dictionary_VR(name), value, validation_mode=IGNORE))
    dataset.add_new("PixelData", "OW", elements.get("PixelData", STORED.tobytes()))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    stream = BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=False, implicit_vr=False, little_endian=True)
    return b"\0" * 128 + b"DICM" + stream.getvalue().split(b"DICM", 1)[-1]


def item(**elements) -> pydicom.Dataset:
    dataset = pydicom.Dataset()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


HEADERS = {
    "a name": {"PatientName": "Doe^Jane"},
    "an identifier": {"PatientID": "Jane"},
    "a birth date": {"PatientBirthDate": "19700101"},
    "a study date": {"StudyDate": "19700101", "LongitudinalTemporalInformationModified": "MODIFIED"},
    "a time": {"StudyTime": "Jane"},
    "a name in a sequence": {"ContentCreatorIdentificationCodeSequence": [item(PersonName="Roe^Jane")]},
    "a name in a code": {"ConceptNameCodeSequence": [item(CodeMeaning="Jane", CodeValue="Jane")]},
    "a hospital": {"InstitutionName": "Jane"},
    "a comment": {"ImageComments": "Jane Doe, born 1950"},
    "a manufacturer and a kernel": {"Manufacturer": "Jane", "ConvolutionKernel": "Jane"},
    "a private element": {"private": "Jane Doe"},
    "an overlay": {"OverlayData": b"Jane"},
    "trailing padding": {"DataSetTrailingPadding": b"Jane Doe"},
    "an unknown element": {"unknown": b"Jane Doe"},
    "a document": {"EncapsulatedDocument": b"%PDF Jane"},
    "an invalid code string": {"BodyPartExamined": "JANE"},
    "one invalid code string of several": {"ImageType": ["ORIGINAL", "JANE"]},
    "an invalid modality": {"Modality": "JANE"},
    "an invalid UID": {"SeriesInstanceUID": "1.2.Jane", "SOPClassUID": "1.2.Jane", "SOPInstanceUID": "1.2.Jane"},
    "text after the pixels": {"PixelData": STORED.tobytes() + b"Jane Doe"},
    "text in unused bits": {
        "PixelData": (STORED & 0xFFF | np.frombuffer(b"Jane" * 128, "<i2").reshape(16, 16) & -0x1000).tobytes(),
        "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0,
    },
}  # fmt: skip


@pytest.mark.parametrize("elements", HEADERS.values(), ids=HEADERS)
def test_dicom_keeps_its_pixels_and_nothing_else(elements):
    original = dicom(**elements)
    rewritten = rewrite(original, SALT, origin="x")
    one, other = read_slice(original), read_slice(rewritten)
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert (one.unit, one.spacing_mm) == (other.unit, other.spacing_mm)
    for word in (b"jane", b"doe", b"roe", b"1970"):
        assert word not in rewritten.lower()
    assert len(rewritten) < 1800


def test_invalid_numbers_and_character_sets_are_dropped():
    for name, value in (("SliceThickness", "1234"), ("KVP", "1234"), ("SpecificCharacterSet", "ISO_IR 100")):
        original = dicom(**{name: value}).replace(value.encode(), b"Jane".ljust(len(value)))
        assert b"Jane" in original
        assert b"Jane" not in rewrite(original, SALT, origin="x")


@pytest.mark.parametrize("text", [b"1.5.2 ", b"e", b"1-2", b"--"])
def test_text_that_is_not_a_number_is_dropped(text):
    original = dicom(KVP="876543").replace(b"876543", text.ljust(6))
    rewritten = rewrite(original, SALT, origin="x")
    np.testing.assert_array_equal(read_slice(original).pixels, read_slice(rewritten).pixels)
    assert "KVP" not in pydicom.dcmread(BytesIO(rewritten))


@pytest.mark.parametrize(
    ("name", "modality"), [("ModalityLUTSequence", "CT"), ("ModalityLUTSequence", "MR"), ("VOILUTSequence", "DX")]
)
def test_table_of_values_is_applied_to_the_pixels(name, modality):
    table = item(LUTDescriptor=[256, 0, 16], ModalityLUTType="US")
    table.add_new("LUTData", "OW", (np.arange(256, dtype="<u2") * 100).tobytes())
    depth = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    original = dicom(**{name: [table]}, Modality=modality, PixelData=bytes(range(256)), **depth)
    one, other = read_slice(original), read_slice(rewrite(original, SALT, origin="x"))
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert (one.unit, one.assumed_white) == (other.unit, other.assumed_white)


def test_preamble_and_bytes_after_the_last_element_are_dropped():
    original = b"Jane Doe".ljust(128, b"\0") + dicom()[128:] + b"Jane Doe"
    assert b"Jane" not in rewrite(original, SALT, origin="x")


def test_geometry_and_acquisition_are_kept():
    kept = {
        "PixelSpacing": [0.5, 0.25], "ImagePositionPatient": [1.5, -2.0, 3.0], "SliceThickness": 1.25, "KVP": 120.0,
        "InstanceNumber": 7, "WindowCenter": 40.0, "WindowWidth": 400.0, "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "PatientPosition": "HFS", "BodyPartExamined": "CSPINE", "SOPClassUID": CTImageStorage,
    }  # fmt: skip
    header = pydicom.dcmread(BytesIO(rewrite(dicom(**kept), SALT, origin="x")))
    assert {name: header[name].value for name in kept} == kept


def test_files_of_one_patient_and_series_stay_together():
    names = {"PatientID": "P1", "SeriesInstanceUID": "1.2.3", "StudyInstanceUID": "1.2", "FrameOfReferenceUID": "1.4"}
    same, other = {**names, "InstanceNumber": 2}, {"PatientID": "P2", "SeriesInstanceUID": "1.2.4"}
    one, two, three = (rewrite(dicom(**header), SALT, origin="x") for header in (names, same, other))
    assert read_identity(one, b"s") == read_identity(two, b"s")
    assert read_identity(one, b"s").patient != read_identity(three, b"s").patient
    assert read_identity(one, b"s").series != read_identity(three, b"s").series
    first, second = (pydicom.dcmread(BytesIO(content)) for content in (one, two))
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert (first.StudyInstanceUID, first.FrameOfReferenceUID) == (second.StudyInstanceUID, second.FrameOfReferenceUID)
    assert b"1.2.3" not in one
    assert rewrite(dicom(**names), b"other salt", origin="x") != one
    assert rewrite(dicom(**names), SALT, origin="x") == one


@pytest.mark.parametrize("declared", ["YES", "yes"])
def test_declared_text_in_the_pixels_is_refused(declared):
    with pytest.raises(UnsupportedFormatError, match="text in its pixels"):
        rewrite(dicom(BurnedInAnnotation=declared), SALT, origin="x")


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEG2000Lossless"])
def test_compressed_dicom_keeps_its_pixels(syntax):
    dataset = pydicom.dcmread(BytesIO(dicom(PixelRepresentation=0)))
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    if syntax == "RLELossless":
        dataset.compress(pydicom.uid.RLELossless)
    else:
        stream = BytesIO()
        Image.fromarray(STORED.astype(np.uint16)).save(stream, "JPEG2000", comment="Jane")
        dataset.PixelData = pydicom.encaps.encapsulate([stream.getvalue()])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    rewritten = rewrite(stream.getvalue(), SALT, origin="x")
    np.testing.assert_array_equal(read_slice(stream.getvalue()).pixels, read_slice(rewritten).pixels)
    assert b"Jane" not in rewritten


def picture(kind, image=None, **options):
    stream = BytesIO()
    (image or Image.fromarray(STORED.astype(np.uint8))).save(stream, kind, **options)
    return stream.getvalue()


def png_info(*chunks, text=None):
    info = PngImagePlugin.PngInfo()
    for chunk in chunks:
        info.add(*chunk)
    if text:
        info.add_text("Comment", text, zip=True)
    return info


def palette():
    image = Image.fromarray((STORED % 4).astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 90, 90, 90, 180, 180, 180, 255, 255, 255, *b"Jane Doe "])
    return image


def transparent():
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[..., 3] = STORED % 256
    pixels[0, 0] = (*b"Jan", 0)
    return Image.fromarray(pixels)


EXIF = Image.Exif()
EXIF[0x010E], EXIF[0x0112] = "Jane Doe", 6
DEEP = Image.fromarray(STORED.astype(np.uint16))
PICTURES = {
    "text in PNG": picture("PNG", pnginfo=png_info((b"tEXt", b"Comment\0Jane Doe"))),
    "compressed text in PNG": picture("PNG", pnginfo=png_info(text="Jane Doe")),
    "Exif in PNG": picture("PNG", exif=EXIF),
    "a color profile in PNG": picture("PNG", icc_profile=b"Jane Doe"),
    "private chunk in PNG": picture("PNG", pnginfo=png_info((b"doEs", b"Jane"))),
    "text after PNG": picture("PNG") + b"Jane Doe",
    "16 bits": picture("PNG", DEEP, pnginfo=png_info((b"tIME", b"Jane Do"))),
    "text in a palette": picture("PNG", palette()),
    "text under transparency": picture("PNG", transparent()),
    "black and white": picture("PNG", Image.fromarray(STORED > 900)),
    "a comment in JPEG": picture("JPEG", comment=b"Jane Doe"),
    "Exif and rotation in JPEG": picture("JPEG", exif=EXIF),
    "XMP in JPEG": picture("JPEG", xmp=b"Jane Doe"),
    "a color profile in JPEG": picture("JPEG", icc_profile=b"Jane Doe"),
    "private segment in JPEG": picture("JPEG", extra=b"\xff\xe5\0\x06Jane"),
    "a comment in GIF": picture("GIF", comment=b"Jane Doe"),
    "a description in TIFF": picture("TIFF", description="Jane Doe"),
    "Exif in WebP": picture("WEBP", exif=EXIF, lossless=True),
    "text after BMP": picture("BMP") + b"Jane Doe",
    "a comment in JPEG 2000": picture("JPEG2000", comment="Jane Doe"),
    "text after JPEG": picture("JPEG") + b"Jane Doe",
}  # fmt: skip


def decompressed(png):
    """Return the chunks of a PNG, decompressed where possible."""
    offset, parts = 8, []
    while offset < len(png):
        size, kind = struct.unpack_from(">I4s", png, offset)
        body = png[offset + 8 : offset + 8 + size]
        parts.append((kind, zlib.decompress(body) if kind == b"IDAT" else body))
        offset += size + 12
    return parts


@pytest.mark.parametrize("content", PICTURES.values(), ids=PICTURES)
def test_picture_keeps_its_pixels_and_nothing_else(content):
    rewritten = rewrite(content, SALT, origin="x")
    one, other = read_slice(content), read_slice(rewritten)
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert (one.color, one.assumed_white) == (other.color, other.assumed_white)
    chunks = decompressed(rewritten)
    assert [kind for kind, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    assert not any(word in body for _, body in chunks for word in (b"Jan", b"Doe"))


def test_numbers_of_a_tiff_stay_numbers():
    hounsfield = Image.fromarray((STORED - 1000).astype(np.float32))
    content = picture("TIFF", hounsfield, description="Jane Doe")
    rewritten = rewrite(content, SALT, origin="x")
    assert b"Jane" not in rewritten
    one, other = read_slice(content), read_slice(rewritten)
    assert (one.unit, other.unit) == ("HU", "HU")
    np.testing.assert_array_equal(one.pixels, other.pixels)


def test_rewriting_twice_changes_nothing():
    for content in (picture("PNG"), picture("JPEG"), picture("PNG", DEEP), picture("PNG", palette())):
        once = rewrite(content, SALT, origin="x")
        assert rewrite(once, SALT, origin="x") == once


@pytest.mark.parametrize(
    "content",
    [b"Jane Doe", picture("PNG")[:-40], picture("JPEG")[:-40], b"\x89PNG\r\n\x1a\nJane", dicom()[:-20],
     b"\0" * 128 + b"DICM" + b"\xff" * 40],
)  # fmt: skip
def test_unreadable_file_raises_a_typed_error(content):
    with pytest.raises(ImageError) as caught:
        rewrite(content, SALT, origin="x")
    assert "Jane" not in str(caught.value)
