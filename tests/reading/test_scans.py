"""Scans of a folder: series, volumes and single images."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from reading.test_dicom import ct_slice
from spinealign.errors import UnsupportedFormatError
from spinealign.imaging.slice import Slice
from spinealign.imaging.volume import Volume
from spinealign.reading.scans import Series, expand_scans, list_scans, read_scan


def write_series(folder: Path, uid: str, *, count: int = 3, modality: str = "MR") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        content = ct_slice(
            np.full((6, 5), number),
            Modality=modality,
            SeriesInstanceUID=uid,
            InstanceNumber=number + 1,
            ImagePositionPatient=[4.0 * number, 0, 0],
            ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
            PixelSpacing=[0.5, 0.5],
        )
        (folder / f"{uid}.{number}.dcm").write_bytes(content)


def save_nifti(path: Path, shape: tuple[int, ...]) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ones(shape, np.int16), np.eye(4)), path)


def test_a_study_is_listed_by_series_volumes_and_images(tmp_path):
    write_series(tmp_path / "t1", "1.1")
    write_series(tmp_path / "mixed", "1.2")
    write_series(tmp_path / "mixed", "1.3", count=2)
    write_series(tmp_path / "films", "1.4", count=2, modality="DX")
    save_nifti(tmp_path / "scan.nii.gz", (4, 5, 6))
    (tmp_path / "notes.txt").write_text("text")

    scans, passed = expand_scans([str(tmp_path)])
    series = [scan for scan in scans if isinstance(scan, Series)]

    assert [scan.name for scan in series] == [
        str(tmp_path / name) for name in ("mixed/1.2.0.dcm", "mixed/1.3.0.dcm", "t1")
    ]
    assert [len(scan.paths) for scan in series] == [3, 2, 3]
    assert [Path(scan).name for scan in scans if isinstance(scan, str)] == ["1.4.0.dcm", "1.4.1.dcm", "scan.nii.gz"]
    assert passed == "1 of 12 files passed over: 1 text file (notes.txt)"


def test_a_series_and_its_folder_are_read_as_one_volume(tmp_path):
    write_series(tmp_path, "1.1")
    (series,) = list_scans([tmp_path])
    by_series, by_folder = read_scan(series), read_scan(tmp_path)

    assert isinstance(by_series, Volume)
    assert by_series.sagittal_axis == 0
    assert (by_series.origin, by_folder.origin) == (str(tmp_path), str(tmp_path))
    np.testing.assert_array_equal(by_series.array, by_folder.array)
    np.testing.assert_array_equal(by_series.sagittal_at(2).pixels, by_series.sagittal(0.0).pixels)


def test_single_images_stay_slices(tmp_path):
    Image.fromarray(np.zeros((40, 30), np.uint8)).save(tmp_path / "a.png")
    write_series(tmp_path / "one", "1.1", count=1)

    assert isinstance(read_scan(tmp_path / "a.png"), Slice)
    assert isinstance(read_scan(tmp_path / "one"), Slice)
    assert isinstance(read_scan((tmp_path / "one" / "1.1.0.dcm").read_bytes()), Slice)


def test_a_folder_of_several_scans_is_refused_with_examples(tmp_path):
    write_series(tmp_path / "t1", "1.1")
    write_series(tmp_path / "t2", "1.2")

    with pytest.raises(UnsupportedFormatError, match=r"contains 2 scans, such as .*t1, .*t2; pass one of them"):
        read_scan(tmp_path)


def test_files_of_several_volumes_are_refused(tmp_path):
    save_nifti(tmp_path / "time.nii", (4, 5, 6, 3))
    save_nifti(tmp_path / "one.nii", (4, 5, 6, 1))

    with pytest.raises(UnsupportedFormatError, match=r"time.nii has 3 volumes \(time points or channels\); save one"):
        read_scan(tmp_path / "time.nii")
    assert isinstance(read_scan(tmp_path / "one.nii"), Volume)
