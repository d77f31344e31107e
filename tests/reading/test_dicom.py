from __future__ import annotations

import csv
import logging
import subprocess
import sys
import time
import warnings
import zlib
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


@pytest.mark.parametrize(("size", "expected"), [(1024, 255), (3, None)])
def test_table_of_values_replaces_a_missing_window(size, expected):
    table = Dataset()
    table.LUTDescriptor = [1024, 0, 12]
    table.add_new("LUTData", "OW", np.linspace(4095, 0, 1024).round().astype("<u2")[:size].tobytes())
    changes = {"Modality": "DX", "RescaleIntercept": None, "RescaleSlope": None, "VOILUTSequence": [table]}
    image = read_slice(ct_slice(STORED, **changes))
    if expected:
        np.testing.assert_allclose(image.pixels, 255 - STORED * 255 / 1023, atol=0.1)
        assert (image.assumed_white, image.notes) == (None, ())
    else:
        assert image.notes == ("VOILUTSequence cannot be applied and was ignored.",)


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
        ({"BitsStored": None, "PixelRepresentation": None}, UnreadableImageError, "lacks BitsStored, PixelRepres"),
        ({"BitsStored": 12}, UnreadableImageError, "12 bits that end at bit 15"),
        ({"PixelData": b""}, UnreadableImageError, "damaged"),
    ],
    ids=["no pixels", "frames", "color", "huge", "too few bytes", "odd depth", "no depth", "high bits", "empty pixels"],
)
def test_unusable_file_raises_without_naming_the_patient(changes, error, words):
    with pytest.raises(error, match=words) as caught:
        read_slice(ct_slice(STORED, **changes))
    assert "Smith" not in str(caught.value)
    assert caught.value.__cause__ is None or "Smith" not in str(caught.value.__cause__)


def enhanced(frames: np.ndarray, **changes) -> bytes:
    """Return an enhanced CT with rescale and geometry in functional groups, 2 mm between the frames."""
    shared, transformation, measures, orientation = Dataset(), Dataset(), Dataset(), Dataset()
    transformation.RescaleSlope, transformation.RescaleIntercept, transformation.RescaleType = 1, -1024, "HU"
    measures.PixelSpacing, orientation.ImageOrientationPatient = [0.5, 0.25], [1, 0, 0, 0, 1, 0]
    shared.PixelValueTransformationSequence, shared.PixelMeasuresSequence = [transformation], [measures]
    shared.PlaneOrientationSequence = [orientation]
    places = []
    for number in range(len(frames)):
        place, group = Dataset(), Dataset()
        place.ImagePositionPatient = [-10, -20, 2 * number]
        group.PlanePositionSequence = [place]
        places.append(group)
    groups = {"SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": places}
    return ct_slice(
        frames[0], NumberOfFrames=len(frames), SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", RescaleSlope=None,
        RescaleIntercept=None, PixelSpacing=None, PixelData=frames.astype("<i2").tobytes(), **groups, **changes,
    )  # fmt: skip


def test_enhanced_ct_is_read_frame_by_frame_in_hounsfield_units():
    frames = np.stack([STORED, STORED + 7, STORED + 9])
    content = enhanced(frames)
    for number in range(3):
        image = read_slice(content, frame=number)
        np.testing.assert_array_equal(image.pixels, frames[number] - 1024)
        assert (image.unit, image.spacing_mm, image.instance) == ("HU", (0.5, 0.25), number + 1)
        assert image.position_mm == (-10, -20, 2 * number)
        assert image.orientation == (1, 0, 0, 0, 1, 0)
    single = read_slice(enhanced(frames[:1]))
    np.testing.assert_array_equal(single.pixels, frames[0] - 1024)
    with pytest.raises(UnsupportedFormatError, match="frames 0 to 2; there is no frame 3"):
        read_slice(content, frame=3)


def raw(name: str, text: str) -> bytes:
    """Return a CT file with any text as the value of a numeric element."""
    filler = ["7654321", "1234567"] if name == "PixelSpacing" else ["7654321"]
    written = "\\".join(filler)
    return ct_slice(STORED, **{"WindowCenter": 40, name: filler}).replace(
        written.encode(), text.encode().ljust(len(written))
    )


BAD_VALUES = {
    "comma in the spacing": ("PixelSpacing", "0,5\\0,5"),
    "one spacing": ("PixelSpacing", "0.5"),
    "window of width 0": ("WindowWidth", "0"),
    "words for a window": ("WindowWidth", "wide"),
    "slope of 0": ("RescaleSlope", "0"),
}


@pytest.mark.parametrize(("name", "text"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_bad_optional_value_is_ignored_with_a_note(name, text):
    image = read_slice(raw(name, text))
    np.testing.assert_array_equal(image.pixels, STORED - 1024)
    assert any(name in note and "ignored" in note for note in image.notes)
    if name == "PixelSpacing":
        assert image.spacing_mm is None


@pytest.mark.parametrize("text", ["", "-1024,0"])
def test_ct_without_a_usable_intercept_is_in_gray_levels(text):
    image = read_slice(raw("RescaleIntercept", text))
    assert (image.unit, image.assumed_white) == ("display", 2**15 - 1)
    assert any("RescaleIntercept" in note for note in image.notes)


def test_unknown_voi_function_is_read_as_linear():
    changes = {"Modality": "MR", "WindowCenter": 400, "WindowWidth": 800}
    plain, odd = (read_slice(ct_slice(STORED, **changes, **more)) for more in ({}, {"VOILUTFunction": "CUBIC"}))
    np.testing.assert_array_equal(plain.pixels, odd.pixels)
    assert odd.notes == ("VOILUTFunction is unknown and was ignored.",)


def test_sigmoid_window_is_applied():
    image = read_slice(
        ct_slice(STORED, Modality="MR", RescaleIntercept=0, WindowCenter=400, WindowWidth=200, VOILUTFunction="SIGMOID")
    )
    np.testing.assert_allclose(image.pixels, 255 / (1 + np.exp(-4 * (STORED - 400) / 200)), atol=1e-2)


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_padding_is_black(modality):
    stored = STORED.copy() + 1000
    stored[0, :3] = [3000, 3005, 3010]
    image = read_slice(
        ct_slice(stored, Modality=modality, WindowCenter=1000, WindowWidth=800, PixelPaddingValue=3000,
                 PixelPaddingRangeLimit=3005)
    )  # fmt: skip
    black = -1000 if modality == "CT" else 0
    assert image.pixels[0, :2].tolist() == [black, black]
    assert image.pixels[0, 2] == (3010 - 1024 if modality == "CT" else 255)


CAPTURE = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0, "RescaleIntercept": None,
           "RescaleSlope": None, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}  # fmt: skip
GRAY = (STORED % 256).astype(np.uint8)
CAPTURES = {
    "no rescale": {},
    "rescale of the CT": {"RescaleIntercept": -1024, "RescaleSlope": 1},
    "rescale US": {"RescaleIntercept": 0, "RescaleSlope": 1, "RescaleType": "US"},
    "window of the CT": {"RescaleIntercept": -1024, "RescaleSlope": 1, "WindowCenter": 40, "WindowWidth": 400},
    "CT class": {"RescaleIntercept": -1024, "RescaleSlope": 1, "SOPClassUID": CTImageStorage},
    "window of the capture": {"WindowCenter": 128, "WindowWidth": 256},
}


@pytest.mark.parametrize("changes", CAPTURES.values(), ids=CAPTURES)
def test_secondary_capture_of_a_ct_holds_gray_levels(changes):
    image = read_slice(ct_slice(GRAY, **{**CAPTURE, **changes, "PixelData": GRAY.tobytes()}))
    assert image.unit == "display"
    np.testing.assert_allclose(image.pixels, GRAY, atol=1e-3)


def test_deep_capture_that_kept_its_rescale_holds_gray_levels():
    image = read_slice(ct_slice(STORED, SOPClassUID="1.2.840.10008.5.1.4.1.1.7"))
    assert (image.unit, image.assumed_white) == ("display", 2**15 - 1)


def test_color_capture_is_read_like_the_same_png():
    color = np.stack([GRAY, GRAY // 2, GRAY], axis=-1)
    stream = BytesIO()
    Image.fromarray(color).save(stream, "PNG")
    content = ct_slice(GRAY, **{**CAPTURE, "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB",
                                "PlanarConfiguration": 0, "PixelData": color.tobytes()})  # fmt: skip
    one, other = read_slice(content), read_slice(stream.getvalue())
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert one.color == other.color > 0
    assert one.spacing_mm == (0.5, 0.25)


@pytest.mark.parametrize("scale", [256, 257])
def test_palette_becomes_gray(scale):
    table = (np.arange(256)[::-1] * scale).astype("<u2").tobytes()
    palette = {f"{name}PaletteColorLookupTableData": table for name in ("Red", "Green", "Blue")}
    lengths = {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 16] for name in ("Red", "Green", "Blue")}
    content = ct_slice(GRAY, **{**CAPTURE, **palette, **lengths, "PhotometricInterpretation": "PALETTE COLOR",
                                "PixelData": GRAY.tobytes()})  # fmt: skip
    np.testing.assert_array_equal(read_slice(content).pixels, 255 - GRAY)


def test_dataset_is_read_like_its_file():
    dataset = pydicom.dcmread(BytesIO(ct_slice(STORED)))
    image = read_slice(dataset)
    np.testing.assert_array_equal(image.pixels, STORED - 1024)
    assert "PixelData" in dataset


def test_endless_nesting_is_refused():
    content = ct_slice(STORED)
    start = 144 + int.from_bytes(content[140:144], "little")
    sequence = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
    with pytest.raises(UnreadableImageError, match="damaged"):
        read_slice(content[:start] + sequence * 50_000)


def test_deflated_bomb_is_refused():
    content = ct_slice(STORED)
    start = 144 + int.from_bytes(content[140:144], "little")
    deflater = zlib.compressobj(1, wbits=-15)
    zeros = b"".join(deflater.compress(bytes(1024**2)) for _ in range(80)) + deflater.flush()
    deflated = content[:start].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    deflated = deflated.replace(b"\x02\0\x10\0UI\x14\0", b"\x02\0\x10\0UI\x16\0")
    length = int.from_bytes(content[140:144], "little") + 2
    with pytest.raises(UnreadableImageError, match="when it is unpacked"):
        read_slice(deflated[:140] + length.to_bytes(4, "little") + deflated[144:] + zeros)


def test_size_in_the_coded_data_is_checked_before_decoding():
    stream = BytesIO()
    Image.fromarray(GRAY).save(stream, "JPEG2000")
    coded = bytearray(stream.getvalue())
    start = coded.index(b"\xff\x51") + 6
    coded[start : start + 8] = (60_000).to_bytes(4, "big") * 2
    dataset = pydicom.dcmread(BytesIO(ct_slice(GRAY, **CAPTURE)))
    dataset.PixelData = pydicom.encaps.encapsulate([bytes(coded)])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    with pytest.raises(UnreadableImageError, match="60,000 x 60,000 pixels"):
        read_slice(dataset)


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


@pytest.mark.slow
@pytest.mark.data
def test_pixels_of_real_files_equal_those_of_pydicom(data, root, monkeypatch):
    monkeypatch.syspath_prepend(root / "benchmarks")
    from dicom_conformance import EQUAL, PAGE, REFUSED_BY_BOTH, compare_all, page

    outcomes = compare_all(data / "dicom_conformance")
    assert PAGE.read_text(encoding="utf-8") == page(outcomes)
    with (data / "dicom_conformance" / "index.csv").open(newline="") as stream:
        readable = {row["path"] for row in csv.DictReader(stream) if row["reference_pixel_decode"] == "ok"}
    found = {item.name: item.outcome for item in outcomes}
    assert len(readable) == 205
    assert {name for name in readable if found[name] != EQUAL} == {
        "pydicom/JPGExtended.dcm", "pydicom-data/HTJ2KLossless_08_RGB.dcm", "pydicom-data/HTJ2K_08_RGB.dcm",
        "pydicom-data/JLSL_08_07_0_1F.dcm",
    }  # fmt: skip
    assert all(found[name] == REFUSED_BY_BOTH for name in readable if found[name] != EQUAL)


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
