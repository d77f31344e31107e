from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from spinealign.privacy.pseudonyms import Identity, read_identity


def dicom(patient: str, series: str) -> bytes:
    dataset = pydicom.Dataset()
    dataset.PatientID, dataset.SeriesInstanceUID = patient, series
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    stream = BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=False, implicit_vr=False, little_endian=True)
    return b"\0" * 128 + b"DICM" + stream.getvalue().split(b"DICM", 1)[-1]


def test_each_patient_and_series_has_its_own_digest():
    one, same, other = (read_identity(dicom(*who), b"salt") for who in (("P1", "1.2"), ("P1", "1.3"), ("P2", "1.2")))
    assert one.patient == same.patient != other.patient
    assert one.series == other.series != same.series


def test_digest_hides_the_identifier_and_depends_on_the_salt():
    identity = read_identity(dicom("Doe^Jane", "1.2"), b"salt")
    assert "Doe" not in repr(identity)
    assert identity.patient != read_identity(dicom("Doe^Jane", "1.2"), b"another").patient


@pytest.mark.parametrize("content", [b"", b"\x89PNG and so on", b"\0" * 128 + b"DICM" + b"\xff" * 40])
def test_other_and_damaged_files_have_no_pseudonyms(content):
    assert read_identity(content, b"salt") == Identity()
