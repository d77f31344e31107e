from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from spinealign.imaging.identifiers import identifiers_in


def dicom(**elements) -> bytes:
    dataset = pydicom.Dataset()
    for name, value in elements.items():
        if name == "private":
            dataset.private_block(0x0009, "MAKER", create=True).add_new(1, "LO", value)
        else:
            setattr(dataset, name, value)
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


HEADERS = {
    "a name": ({"PatientName": "Doe^Jane"}, ("PatientName",)),
    "an identifier": ({"PatientID": "4711"}, ("PatientID",)),
    "a birth date": ({"PatientBirthDate": "19700101"}, ("PatientBirthDate",)),
    "a date of the study": ({"StudyDate": "20260101"}, ("StudyDate",)),
    "a date that was shifted": (
        {"StudyDate": "20260101", "LongitudinalTemporalInformationModified": "MODIFIED"}, (),
    ),
    "a physician": ({"ReferringPhysicianName": "Roe^Richard"}, ("ReferringPhysicianName",)),
    "a name inside a sequence": ({"ContentCreatorIdentificationCodeSequence": [nested()]}, ("PersonName",)),
    "a hospital and an accession": (
        {"InstitutionName": "General", "AccessionNumber": "7"}, ("AccessionNumber", "InstitutionName"),
    ),
    "a comment": ({"ImageComments": "Jane Doe, born 1950"}, ("ImageComments",)),
    "a description of the study": ({"StudyDescription": "C-spine Doe"}, ("StudyDescription",)),
    "a number of an order": ({"RequestedProcedureID": "4711"}, ("RequestedProcedureID",)),
    "a birth date that is said to be shifted": (
        {"PatientBirthDate": "19700101", "LongitudinalTemporalInformationModified": "MODIFIED"}, ("PatientBirthDate",),
    ),
    "a date that is said to be gone": (
        {"StudyDate": "20260101", "LongitudinalTemporalInformationModified": "REMOVED"}, ("StudyDate",),
    ),
    "machine and kernel": ({"Manufacturer": "ACME", "ConvolutionKernel": "B60s"}, ()),
    "a private element": ({"private": "Jane Doe"}, ("private elements",)),
    "text in the image": ({"BurnedInAnnotation": "YES"}, ("BurnedInAnnotation",)),
    "nothing of a person": (
        {"PatientName": "", "PatientID": "", "PatientSex": "F", "PatientAge": "050Y", "Modality": "CT",
         "StudyDate": "", "SeriesInstanceUID": "1.2.3", "BurnedInAnnotation": "NO"}, (),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("elements", "expected"), HEADERS.values(), ids=HEADERS)
def test_what_may_identify_a_patient_is_named_and_never_quoted(elements, expected):
    assert identifiers_in(dicom(**elements)) == expected


def test_other_files_have_none_and_a_damaged_header_is_not_trusted():
    assert identifiers_in(b"\x89PNG and so on") == ()
    assert identifiers_in(b"\0" * 128 + b"DICM" + b"\xff" * 40) == ("unreadable header",)
    assert identifiers_in(dicom(Modality="CT")[:-20]) == ("unreadable header",)


def test_what_stands_before_the_header_counts():
    clean = dicom(Modality="CT")
    assert identifiers_in(clean) == ()
    assert identifiers_in(b"Jane Doe".ljust(128, b"\0") + clean[128:]) == ("preamble",)
