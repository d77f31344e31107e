from __future__ import annotations

import csv
import logging
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Barrier, Event

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from spinealign import read_slice
from spinealign.errors import ImageError, UnreadableImageError, UnsupportedFormatError
from spinealign.imaging.muting import muted

PATIENT = "Smith^Jane"


def ct_slice(stored: np.ndarray, **changes) -> bytes:
    """Return the bytes of a CT file with identifiers; None as a change removes an element."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientID, dataset.Modality = PATIENT, "12345", "CT"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelSpacing = [0.5, 0.25]
    dataset.PixelData = stored.astype("<i2").tobytes()
    for name, value in changes.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


STORED = np.arange(32 * 24).reshape(32, 24)


def test_ct_is_rescaled_to_hounsfield_units():
    image = read_slice(ct_slice(STORED, RescaleSlope=2))
    np.testing.assert_array_equal(image.pixels, STORED * 2 - 1024)
    assert (image.unit, image.spacing_mm, image.modality) == ("HU", (0.5, 0.25), "CT")


def test_monochrome1_ct_keeps_its_hounsfield_units():
    plain, inverted = (
        read_slice(ct_slice(STORED)),
        read_slice(ct_slice(STORED, PhotometricInterpretation="MONOCHROME1")),
    )
    np.testing.assert_array_equal(plain.pixels, inverted.pixels)


def test_monochrome1_of_another_modality_is_inverted_for_display():
    plain = read_slice(ct_slice(STORED, Modality="DX"))
    inverted = read_slice(ct_slice(STORED, Modality="DX", PhotometricInterpretation="MONOCHROME1"))
    assert plain.unit == "display"
    np.testing.assert_allclose(inverted.pixels, 255 - plain.pixels, atol=1e-3)


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 400, "WindowWidth": 800}], ids=["depth", "window"])
def test_scale_of_other_modalities_comes_from_the_header(window):
    changes = {"Modality": "MR", "RescaleIntercept": 0, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0}
    bright = STORED.copy()
    bright[0, 0] = 4000
    one, other = (read_slice(ct_slice(stored, **changes, **window)) for stored in (STORED, bright))
    np.testing.assert_array_equal(one.pixels[1:], other.pixels[1:])
    expected = STORED / 4095 * 255 if not window else (STORED - 399.5) / 799 * 255 + 127.5
    np.testing.assert_allclose(one.pixels, np.clip(expected, 0, 255), atol=1e-3)
    assert one.assumed_white == (None if window else 4095)


def test_ct_without_modality_is_recognized_by_its_rescale():
    image = read_slice(ct_slice(STORED, Modality=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.7"))
    assert image.unit == "HU"


@pytest.mark.parametrize("spacing", [None, [0.0, 0.5]])
def test_invalid_spacing_is_none(spacing):
    assert read_slice(ct_slice(STORED, PixelSpacing=spacing)).spacing_mm is None


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"PixelData": None}, UnsupportedFormatError, "without an image"),
        ({"NumberOfFrames": 3}, UnsupportedFormatError, "several frames"),
        ({"SamplesPerPixel": 3}, UnsupportedFormatError, "color"),
        ({"Rows": 60_000, "Columns": 60_000}, UnreadableImageError, "pixels"),
        ({"Rows": 33}, UnreadableImageError, "damaged"),
        ({"BitsAllocated": 13}, UnreadableImageError, "damaged"),
        ({"PixelData": b""}, UnreadableImageError, "damaged"),
    ],
    ids=["no pixels", "frames", "color", "huge", "too few bytes", "odd depth", "empty pixels"],
)
def test_unusable_file_raises_without_naming_the_patient(changes, error, words):
    with pytest.raises(error, match=words) as caught:
        read_slice(ct_slice(STORED, **changes))
    assert "Smith" not in str(caught.value)
    assert caught.value.__cause__ is None or "Smith" not in str(caught.value.__cause__)


def test_slice_contains_no_identifier():
    assert "Smith" not in repr(vars(read_slice(ct_slice(STORED))))


def test_warnings_and_logs_of_pydicom_are_muted(caplog, recwarn):
    damaged = ct_slice(STORED, SpecificCharacterSet="ISO_IR 100").replace(b"ISO_IR 100", b"Smith_Jane")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmread(BytesIO(damaged)).get("PatientName")
    assert "Smith" in caplog.text, "pydicom logs the name"
    caplog.clear()
    read_slice(damaged)
    assert "Smith" not in caplog.text
    assert not [warning for warning in recwarn if "Smith" in str(warning.message)]


def test_unknown_modality_is_not_passed_on():
    assert read_slice(ct_slice(STORED, Modality="SMITH")).modality is None


def test_screenshot_of_a_ct_is_not_in_hounsfield_units():
    image = read_slice(ct_slice(STORED, RescaleSlope=None, RescaleIntercept=None))
    assert (image.unit, image.modality) == ("display", "CT")


def test_warnings_of_other_threads_are_seen_while_files_are_read():
    damaged = ct_slice(STORED, SpecificCharacterSet="ISO_IR 100").replace(b"ISO_IR 100", b"Smith_Jane")
    done = Event()

    def read_until_done() -> None:
        while not done.is_set():
            read_slice(damaged)

    with warnings.catch_warnings(record=True) as seen, ThreadPoolExecutor(2) as pool:
        warnings.simplefilter("always")
        readers = [pool.submit(read_until_done) for _ in range(2)]
        for number in range(200):
            warnings.warn(f"mine {number}", UserWarning, stacklevel=1)
            time.sleep(0.0005)
        done.set()
        for reader in readers:
            reader.result()
    assert [str(warning.message) for warning in seen] == [f"mine {number}" for number in range(200)]


def test_muted_threads_do_not_wait_for_each_other():
    meeting = Barrier(2, timeout=10)

    def meet() -> None:
        with muted():
            meeting.wait()

    with ThreadPoolExecutor(2) as pool:
        for meeter in [pool.submit(meet) for _ in range(2)]:
            meeter.result()


def test_another_thread_that_restores_its_filters_unmutes_nothing():
    script = """
import threading, warnings
from spinealign.imaging.muting import muted

inside, leave = threading.Event(), threading.Event()

def restore_filters():
    with warnings.catch_warnings():
        inside.set()
        leave.wait()

other = threading.Thread(target=restore_filters)
other.start()
inside.wait()
with muted():
    leave.set()
    other.join()
    warnings.warn("Smith^Jane")
warnings.warn("heard")
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr
    assert "heard" in found
    assert "Smith" not in found


def test_exif_data_is_not_logged_while_it_is_read(caplog):
    exif = Image.Exif()
    exif[0x010E] = PATIENT
    stream = BytesIO()
    Image.fromarray(STORED.astype(np.uint8)).save(stream, "JPEG", exif=exif)
    with caplog.at_level(logging.DEBUG):
        Image.open(stream).getexif().get(0x010E)
        assert "Smith" in caplog.text, "Pillow logs the name"
        caplog.clear()
        read_slice(stream.getvalue())
    assert "Smith" not in caplog.text


def test_truncated_file_is_read_or_raises_a_typed_error():
    content = ct_slice(STORED)
    for length in range(0, len(content), 97):
        try:
            read_slice(content[:length])
        except ImageError:
            continue


@pytest.mark.data
def test_real_files_are_read_or_raise_a_typed_error(data):
    folder = data / "dicom_conformance"
    with (folder / "index.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    read = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "index.csv"):
        try:
            image = read_slice(path)
        except ImageError:
            continue
        read += 1
        assert np.isfinite(image.pixels).all()
    assert len(rows) == 301
    assert read >= 100


@pytest.mark.data
def test_real_ct_is_in_hounsfield_units(data):
    files = sorted((data / "rsna2022" / "train_images").rglob("*.dcm"))
    assert len(files) == 25
    for path in files:
        image = read_slice(path)
        raw = pydicom.dcmread(path)
        assert image.unit == "HU"
        expected = raw.pixel_array * float(raw.RescaleSlope) + float(raw.RescaleIntercept)
        np.testing.assert_allclose(image.pixels, expected)
