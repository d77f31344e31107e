from __future__ import annotations

import gzip
import io
import time
import zipfile

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from reading.test_dicom import ct_slice, enhanced
from spinealign import read_slice, read_volume
from spinealign.config import ReadingLimits
from spinealign.errors import ImageError, UnreadableImageError, UnsupportedFormatError

STORED = np.arange(8 * 6).reshape(8, 6)
AXIAL, SAGITTAL = [1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1]


def ct(number: int, z: float | None = None, **changes) -> bytes:
    """Return a slice of an axial CT at a height of 2.5 mm times its number."""
    place = {
        "SeriesInstanceUID": "1.2.3", "InstanceNumber": number, "ImageOrientationPatient": AXIAL,
        "ImagePositionPatient": [-10, -20, 2.5 * number if z is None else z],
    }  # fmt: skip
    return ct_slice(
        STORED + number, **{name: value for name, value in {**place, **changes}.items() if value is not None}
    )


def test_series_is_sorted_by_position():
    volume = read_volume([ct(number, z=-2.5 * number) for number in (3, 1, 4, 0, 2)])
    np.testing.assert_array_equal(volume.array, np.stack([STORED + number - 1024 for number in (4, 3, 2, 1, 0)]))
    assert (volume.unit, volume.modality, volume.instances, volume.notes) == ("HU", "CT", (4, 3, 2, 1, 0), ())
    assert volume.spacing_mm == (2.5, 0.5, 0.25)
    np.testing.assert_allclose(volume.affine @ (1, 2, 3, 1), [-10 + 0.75, -20 + 1, -7.5, 1])
    image = volume[0]
    assert (image.position_mm, image.orientation, image.instance) == ((-10, -20, -10), tuple(AXIAL), 4)


def test_folder_archive_list_and_datasets_give_the_same_volume(tmp_path):
    contents = [ct(number) for number in range(12)]
    folder = tmp_path / "scan"
    folder.mkdir()
    for number, content in enumerate(contents):
        (folder / f"IM{number}").write_bytes(content)
    (folder / "notes.txt").write_text("text")
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"scan/IM{number}", content)
    expected = read_volume(contents)
    datasets = [pydicom.dcmread(io.BytesIO(content)) for content in contents]
    for source in (folder, str(tmp_path / "scan.zip"), sorted(folder.glob("IM*")), datasets):
        volume = read_volume(source)
        np.testing.assert_array_equal(volume.array, expected.array)
        np.testing.assert_array_equal(volume.affine, expected.affine)
    assert any("1 of 13 files passed over" in note for note in read_volume(folder).notes)


def test_enhanced_ct_is_read_as_a_volume():
    frames = np.stack([STORED, STORED + 7, STORED + 9])
    volume = read_volume(enhanced(frames))
    np.testing.assert_array_equal(volume.array, frames - 1024)
    assert (volume.unit, volume.spacing_mm) == ("HU", (2, 0.5, 0.25))


def repeated(**changes) -> list[bytes]:
    return [ct(number, **changes) for number in range(4)]


LEFT_OUT = {
    "duplicates": (repeated(), "4 at the position of another"),
    "a second time point": (
        [ct(number + 6, z=2.5 * number, TemporalPositionIdentifier=2) for number in range(4)], "4 at the position",
    ),
    "a gap": ([ct(number + 9) for number in range(3)], "3 beyond a gap"),
    "another orientation": (
        [ct(9, ImageOrientationPatient=SAGITTAL), ct(8, ImageOrientationPatient=SAGITTAL)], "2 of another orientation",
    ),
    "a localizer": ([ct(9, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])], "1 localizer"),
    "another series": ([ct(number, SeriesInstanceUID="1.2.4") for number in range(3)], "3 of another series"),
    "another spacing": ([ct(9, PixelSpacing=[1, 1])], "1 of another size or spacing"),
    "a slice without a position": ([ct(2, ImagePositionPatient=None)], "1 without a position"),
    "a slice that is not in HU": ([ct(6, RescaleType="US")], "1 of another unit"),
    "a damaged file": ([ct(9)[:300]], "1 unreadable"),
}  # fmt: skip


@pytest.mark.parametrize(("others", "words"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_longest_stack_is_taken_and_the_rest_is_named(others, words):
    volume = read_volume([*others, *[ct(number) for number in range(6)]])
    np.testing.assert_array_equal(volume.array[:, 0, 0], np.arange(6) - 1024)
    assert words in volume.notes[0]
    assert f"{len(others)} of {6 + len(others)} images were left out" in volume.notes[0]


REPETITIONS = {
    "time": ({"TemporalPositionIdentifier": 0}, {"TemporalPositionIdentifier": 1}),
    "kind": ({"ImageType": ["DERIVED", "PRIMARY", "WATER"]}, {"ImageType": ["DERIVED", "PRIMARY", "FAT"]}),
    "echo": ({"EchoTime": 10, "AcquisitionNumber": 5}, {"EchoTime": 90, "AcquisitionNumber": 5}),
}  # fmt: skip


@pytest.mark.parametrize("changes", REPETITIONS.values(), ids=REPETITIONS)
def test_repetitions_in_alternating_order_are_not_mixed(changes):
    pixels = [(STORED + 100 * which).astype("<i2").tobytes() for which in range(2)]
    frames = [
        ct(2 * number + place, z=2.5 * number, PixelData=pixels[which], **changes[which])
        for number in range(4) for place, which in enumerate((number % 2, 1 - number % 2))
    ]  # fmt: skip
    assert (read_volume(frames).array[:, 0, 0] == -1024).all()


@pytest.mark.parametrize(
    ("sequence", "name"), [("MREchoSequence", "EffectiveEchoTime"), ("FrameContentSequence", "DimensionIndexValues")]
)
def test_repetitions_of_an_enhanced_image_are_not_mixed(sequence, name):
    which = [0, 1, 1, 0, 0, 1]  # at three positions
    dataset = pydicom.dcmread(io.BytesIO(enhanced(np.stack([STORED + 100 * one for one in which]))))
    for frame, (group, one) in enumerate(zip(dataset.PerFrameFunctionalGroupsSequence, which)):
        item = pydicom.Dataset()
        setattr(item, name, [frame // 2 + 1, one + 1] if name == "DimensionIndexValues" else 10.0 + one)
        setattr(group, sequence, [item])
        group.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 2 * (frame // 2)]
    volume = read_volume(dataset)
    assert (volume.array[:, 0, 0] == -1024).all()
    assert volume.instances == (1, 4, 5)


def test_directions_and_spacings_that_are_nearly_equal_are_one():
    turned = [[1, 0.0049, 0, -0.0049, 1, 0], [1, 0.0051, 0, -0.0051, 1, 0]]
    contents = [
        ct(number, ImageOrientationPatient=turned[number % 2], PixelSpacing=[0.50049 + 0.00002 * (number % 2)] * 2)
        for number in range(6)
    ]
    assert (len(read_volume(contents)), read_volume(contents).spacing_mm[0]) == (6, 2.5)


def test_slices_without_numbers_and_positions_keep_their_order():
    contents = [ct(number, ImagePositionPatient=None, InstanceNumber=None) for number in range(3)]
    volume = read_volume(contents)
    assert volume.array[:, 0, 0].tolist() == [-1024, -1023, -1022]
    assert volume.instances == (None, None, None)


def test_slices_of_a_volume_make_the_same_volume():
    volume = read_volume([ct(number) for number in range(5)])
    again = read_volume([volume[index] for index in (3, 0, 1, 4, 2)])
    np.testing.assert_array_equal(again.array, volume.array)
    np.testing.assert_allclose(again.affine, volume.affine)
    assert (again.instances, again.notes) == (volume.instances, ())
    files = [io.BytesIO(ct(number)) for number in range(5)]
    np.testing.assert_allclose(read_volume(files).affine, volume.affine)


@pytest.mark.parametrize("encode", [bytes, "rle"], ids=["native", "encapsulated"])
def test_false_number_of_frames_is_refused_at_once(encode):
    dataset = pydicom.dcmread(io.BytesIO(ct(1)))
    if encode == "rle":
        dataset.compress(pydicom.uid.RLELossless)
    dataset.NumberOfFrames = 9999
    with pytest.raises(UnreadableImageError, match="less pixel data than its header states"):
        read_volume(dataset)


def test_series_of_other_modalities_has_one_window():
    changes = {"Modality": "MR", "RescaleIntercept": 0, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0}
    windows = [(100, 200), (110, 240), (120, 280)]
    contents = [
        ct(number, WindowCenter=center, WindowWidth=width, SeriesDescription="T2 TSE sag Smith^Jane", **changes)
        for number, (center, width) in enumerate(windows)
    ]
    volume = read_volume(contents)
    assert (volume.unit, volume.window, volume.description) == ("arbitrary", (-10, 229), "T2 TSE SAG")
    np.testing.assert_array_equal(volume.array[1], STORED + 1)
    unknown = read_volume([ct(number, **changes) for number in range(3)])
    assert (unknown.window, unknown.assumed_white, unknown[0].assumed_white) == ((0, 4095), 4095, 4095)
    np.testing.assert_allclose(unknown[1].pixels, read_slice(ct(1, **changes)).pixels, atol=1e-4)
    assert read_volume([ct(number, **changes) for number in range(3)], white=500).window == (0, 500)


def test_series_without_positions_is_in_order_of_its_numbers():
    contents = [ct(number, ImagePositionPatient=None, SliceThickness=3) for number in (2, 0, 1)]
    volume = read_volume(contents)
    assert volume.array[:, 0, 0].tolist() == [-1024, -1023, -1022]
    assert volume.spacing_mm[0] == 3
    assert any("Positions are unknown" in note for note in volume.notes)


def test_tilted_gantry_is_noted():
    tilted = [ct(number, ImagePositionPatient=[-10, -20 + number, 2.5 * number]) for number in range(4)]
    volume = read_volume(tilted)
    np.testing.assert_allclose(volume.affine[:3, 0], [0, 1, 2.5])
    assert "The slices are sheared, as by a tilted gantry." in volume.notes


@pytest.mark.parametrize("contents", [[ct(1)], [ct(1), ct(2, ImageOrientationPatient=SAGITTAL)], [ct(1)[:-30]], []])
def test_what_is_no_volume_is_refused(contents):
    with pytest.raises(ImageError):
        read_volume(contents)


def nifti(values: np.ndarray, affine: np.ndarray, kind=nibabel.Nifti1Image, **header) -> bytes:
    image = kind(values, affine)
    for name, value in header.items():
        image.header[name] = value
    return image.to_bytes()


RAS = np.array([[-0.25, 0, 0, 10], [0, -0.5, 0, 20], [0, 0, 2.5, 5], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_nifti_equals_the_dicom_series(kind, pack):
    series = read_volume([ct(number + 2) for number in range(4)])
    volume = read_volume(pack(nifti(series.array.T.astype(np.int16), RAS, kind)))
    np.testing.assert_array_equal(volume.array, series.array)
    np.testing.assert_allclose(volume.affine, series.affine)
    assert volume.unit == "HU"


def test_scale_of_a_nifti_file_comes_from_its_header_or_a_note():
    values = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)
    assert read_volume(nifti(values, RAS, cal_min=10, cal_max=90)).window == (10, 90)
    assert read_volume(nifti(values, RAS), white=100).window == (0, 100)
    assert read_volume(nifti(values, RAS), unit="HU").unit == "HU"
    assert "scale is unknown" in read_volume(nifti(values, RAS)).notes[0]
    assert read_volume(nifti(values.astype(np.uint8), RAS)).unit == "display"
    two = read_volume(nifti(np.stack([values, -values], axis=-1), RAS))
    assert two.notes[0] == "The first of 2 volumes (time points or channels)."


def test_hostile_nifti_is_refused():
    content = bytearray(nifti(np.zeros((4, 4, 4), np.int16), RAS))
    content[42:48] = (20_000).to_bytes(2, "little") * 3
    with pytest.raises(UnreadableImageError, match="20,000 x 20,000 x 20,000"):
        read_volume(bytes(content))
    with pytest.raises(UnreadableImageError, match="when it is unpacked"):
        read_volume(gzip.compress(nifti(np.zeros((4, 4, 4), np.int16), RAS) + bytes(80_000_000), 1))
    with pytest.raises(UnreadableImageError):
        read_volume(nifti(np.zeros((4, 4, 4), np.int16), RAS)[:-20])


def test_damaged_orientation_of_nifti_is_replaced_by_the_next():
    values = np.arange(5 * 6 * 7, dtype=np.uint8).reshape(5, 6, 7)
    image = nibabel.Nifti1Image(values, RAS)
    image.set_qform(RAS, code=1)
    image.set_sform(np.zeros((4, 4)), code=1)
    volume = read_volume(image.to_bytes())
    np.testing.assert_allclose(volume.affine, read_volume(nifti(values, RAS)).affine, atol=1e-4)
    assert volume.notes == ("The sform is not an invertible matrix and was ignored.",)
    image.set_qform(None, code=0)
    assert read_volume(image.to_bytes()).notes[1].startswith("The orientation is unknown")


@pytest.mark.parametrize(
    ("place", "value"), [(40, b"\0\0"), (108, bytes(4)), (70, b"\xe7\3")], ids=["no axes", "no offset", "type"]
)
def test_damaged_nifti_header_is_refused_without_a_log(place, value, capfd):
    content = bytearray(nifti(np.zeros((4, 4, 4), np.int16), RAS))
    content[place : place + len(value)] = value
    with pytest.raises(UnreadableImageError):
        read_volume(bytes(content))
    assert capfd.readouterr().err == ""


def test_nifti_in_parts_in_a_folder_and_of_two_files(tmp_path):
    content = nifti(np.zeros((4, 4, 4), np.uint8), RAS)
    parts = gzip.compress(content[:400]) + gzip.compress(content[400:])
    (tmp_path / "scan.nii.gz").write_bytes(parts)
    assert read_volume(tmp_path).spacing_mm == read_volume(content).spacing_mm
    (tmp_path / "other.nii").write_bytes(content)
    with pytest.raises(UnsupportedFormatError, match="2 volumes; pass one of them"):
        read_volume(tmp_path)
    with pytest.raises(UnsupportedFormatError, match=r"save it with its \.img file"):
        read_volume(nibabel.Nifti1Pair(np.zeros((4, 4, 4), np.uint8), RAS).header.binaryblock + bytes(4))


def test_pictures_of_several_folders_are_not_mixed(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(2 if name == "a" else 3):
            Image.fromarray(np.full((8, 6), number, np.uint8)).save(tmp_path / name / f"{number}.png")
    volume = read_volume(tmp_path)
    assert len(volume) == 3
    assert "2 images of other folders than b were left out." in volume.notes


def test_stack_of_images_is_in_natural_order(tmp_path):
    for number in (10, 2, 1):
        Image.fromarray(np.full((8, 6), number, np.uint8)).save(tmp_path / f"{number}.png")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "thumb.png")
    volume = read_volume(tmp_path, spacing_mm=(3, 1, 1))
    assert volume.array[:, 0, 0].tolist() == [1, 2, 10]
    assert (volume.unit, volume.spacing_mm) == ("display", (3, 1, 1))
    assert "1 of 4 images were left out: 1 of another size or spacing." in volume.notes
    assert any("orientation is unknown" in note for note in volume.notes)


def test_pages_and_arrays_are_read_as_volumes():
    pages = [Image.fromarray(np.full((8, 6), number, np.uint8)) for number in (5, 6)]
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:])
    array = np.stack([np.asarray(page) for page in pages])
    saved = io.BytesIO()
    np.save(saved, array)
    for source in (stream.getvalue(), array, saved.getvalue()):
        volume = read_volume(source, spacing_mm=(2, 1, 1))
        np.testing.assert_array_equal(volume.array, array)
        assert volume.spacing_mm == (2, 1, 1)
    assert read_volume(array.astype(float) - 1000).unit == "HU"
    with pytest.raises(UnsupportedFormatError, match="single image"):
        pages[0].save(single := io.BytesIO(), "PNG")
        read_volume(single.getvalue())
    with pytest.raises(UnsupportedFormatError, match="shape"):
        read_volume(np.zeros((4, 4)))


def test_many_pages_are_read_in_one_pass():
    page = Image.fromarray(np.zeros((4, 4), np.uint8))
    page.save(stream := io.BytesIO(), "TIFF", save_all=True, append_images=[page] * 199)
    start = time.process_time()
    assert len(read_volume(stream.getvalue())) == 200
    assert time.process_time() - start < 2


def test_limits_of_a_volume_can_be_set():
    with pytest.raises(UnreadableImageError, match="limits"):
        read_volume(np.zeros((4, 8, 8), np.uint8), limits=ReadingLimits(max_slices=7))
    with pytest.raises(UnreadableImageError, match="limits"):
        read_volume([ct(number) for number in range(4)], limits=ReadingLimits(max_voxels=100))


def test_a_volume_contains_no_identifier():
    volume = read_volume([ct(number, SeriesDescription="Smith^Jane", ProtocolName="Jane T2") for number in range(3)])
    assert "Smith" not in repr(vars(volume))
    assert volume.description == "T2"


def test_wrong_arguments_are_refused():
    for spacing in ((1, 0, 1), (1, 1), (1, 1, np.inf)):
        with pytest.raises(ValueError, match="spacing_mm"):
            read_volume(np.zeros((2, 4, 4), np.uint8), spacing_mm=spacing)
    for stated in ([ct(1), ct(2)], nifti(np.zeros((4, 4, 4), np.uint8), RAS), list(read_volume([ct(1), ct(2)]))):
        with pytest.raises(ValueError, match="spacing_mm applies to sources that do not state it"):
            read_volume(stated, spacing_mm=np.ones(3))
    with pytest.raises(ValueError, match="white must be positive"):
        read_volume(np.zeros((2, 4, 4), np.uint16), white=np.inf)
    with pytest.raises(ValueError, match="unit must be"):
        read_volume(np.zeros((2, 4, 4), np.uint8), unit="hu")
    with pytest.raises(TypeError, match="int"):
        read_volume(7)
    with pytest.raises(TypeError, match="binary file"):
        read_volume(io.StringIO("text"))


@pytest.mark.data
def test_real_volumes_have_the_stated_orientation(data):
    for path in sorted((data / "lumbar_mri").glob("*_image.nii.gz"))[:3]:
        volume = read_volume(path)
        assert volume.shape[0] == 21
        assert volume.sagittal().orientation == (0, 1, 0, 0, 0, -1)
    for folder in sorted((data / "rsna2022" / "train_images").iterdir()):
        volume = read_volume(folder)
        assert (len(volume), volume.unit, volume.notes) == (5, "HU", ())
        heights = [image.position_mm[2] for image in volume]
        assert heights == sorted(heights)
