"""Name the elements of a DICOM header that may tell who a patient is; their values never leave this module."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

from spinealign.imaging.dicom import is_dicom
from spinealign.imaging.quiet import quiet

if TYPE_CHECKING:
    from pydicom import Dataset

# After the Basic Application Level Confidentiality Profile, DICOM PS3.15 table E.1-1.
_IDENTIFYING = frozenset({
    "AccessionNumber", "AdditionalPatientHistory", "AdmissionID", "BranchOfService", "CountryOfResidence",
    "CurrentPatientLocation", "DeviceSerialNumber", "EthnicGroup", "InstitutionAddress", "InstitutionName",
    "InstitutionalDepartmentName", "IssuerOfPatientID", "MedicalRecordLocator", "MilitaryRank", "Occupation",
    "OtherPatientIDs", "PatientAddress", "PatientBirthTime", "PatientComments", "PatientID",
    "PatientInstitutionResidence", "PatientReligiousPreference", "PatientTelecomInformation",
    "PatientTelephoneNumbers", "ReferringPhysicianAddress", "ReferringPhysicianTelephoneNumbers",
    "RegionOfResidence", "StationName", "StudyID",
})  # fmt: skip
UNREADABLE = "unreadable header"
_DATES = frozenset({"DA", "DT"})


def identifiers_in(content: bytes) -> tuple[str, ...]:
    """Name what may identify the patient in a DICOM header, at any depth; nothing for every other file.

    Names of persons, dates, private elements and text burned into the image count too; dates do not where the header
    says that they were shifted (PS3.3 C.12.1.1.1). UIDs stay: they tell series apart.

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
            return tuple(sorted(set(_found(pydicom.dcmread(BytesIO(content), force=True)))))
    except Exception:  # damaged headers raise almost anything, and the text may quote them
        return (UNREADABLE,)


def _found(dataset: Dataset) -> Iterator[str]:
    if "PixelData" not in dataset:  # it is the last of all: what ends before it was not read to its end
        yield UNREADABLE
    shifted = str(dataset.get("LongitudinalTemporalInformationModified") or "") in ("MODIFIED", "REMOVED")
    for element in dataset.iterall():
        if element.VR == "SQ" or element.is_empty or not str(element.value).strip():
            continue
        if element.tag.is_private:
            yield "private elements"
        elif element.VR == "PN" or element.keyword in _IDENTIFYING or (element.VR in _DATES and not shifted):
            yield element.keyword or "unknown elements"
        elif element.keyword == "BurnedInAnnotation" and element.value == "YES":
            yield "BurnedInAnnotation"
