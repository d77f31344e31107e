"""Measures from the masks of other segmenters, on a drawn spine."""

from __future__ import annotations

from dataclasses import replace

import nibabel
import numpy as np
import pytest

from spinealign import measure_masks
from spinealign.alignment.sagittal.foreign_masks import TABLES
from spinealign.alignment.sagittal.values import sagittal_values
from spinealign.cli import main
from spinealign.errors import UnsupportedFormatError
from spinealign.imaging.volume import Volume
from spinealign.phantoms.sagittal_spine import NAMES, draw_sagittal_spine

SPINE = draw_sagittal_spine(seed=3, extent_mm=260)
AFFINE = np.array([[2.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # slices to the left, rows down


def volume_of(table: str, *, names: tuple[str, ...] = NAMES, whole: bool = True) -> Volume:
    """Return three equal planes in the codes of a segmenter, with spinous processes behind a canal."""
    codes = {level: code for code, level in TABLES[table].vertebrae.items()}
    plane = np.zeros(SPINE.slice.shape, np.float32)
    walls = SPINE.corners[:, 1::2].reshape(-1, 2)
    rows = np.arange(len(plane))
    wall = np.interp(rows, walls[:, 1], walls[:, 0]).round().astype(int)
    for name, mask in zip(NAMES, SPINE.masks):
        if name not in names:
            continue
        inside = mask > 0.5
        plane[inside] = codes[name]
        if whole:  # lamina through the canal's place in other slices, and a process behind it
            for row in np.flatnonzero(inside.any(axis=1)):
                plane[row, wall[row] + 22 : wall[row] + 45] = codes[name]
    plane[SPINE.masks[-1] > 0.5] = TABLES[table].sacrum[-1]
    if whole and TABLES[table].canal:
        for row in rows:
            plane[row, wall[row] + 4 : wall[row] + 18] = TABLES[table].canal[-1]
    return Volume(np.stack([plane] * 3), AFFINE, unit="display")


@pytest.mark.parametrize("table", ["totalspineseg", "totalsegmentator_mr"])
def test_masks_give_the_measures_of_the_spine(table):
    found = measure_masks(volume_of(table, whole=table == "totalspineseg"), table=table)
    truth = sagittal_values(SPINE.corners, NAMES, sacrum_endplate=SPINE.sacrum_endplate)
    assert [each.name for each in found.vertebrae] == list(NAMES)
    assert found["lordosis_l1_l5"].value == pytest.approx(truth["lordosis_l1_l5"], abs=1.5)
    assert found["slip_l4_l5_mm"].value == pytest.approx(truth["slip_l4_l5_mm"], abs=0.6)
    assert found["disc_height_l4_l5_mm"].value == pytest.approx(truth["disc_height_l4_l5_mm"], abs=0.6)
    assert found["lordosis_l1_s1"].value == pytest.approx(truth["lordosis_l1_s1"], abs=6)
    assert found.numbering.source == "user"


def test_subregions_tell_the_bodies():
    labels = volume_of("spineps")
    parts = np.where(np.isin(labels.array, list(TABLES["spineps"].vertebrae)), 42, labels.array)
    parts[:, np.max(SPINE.masks[:-1], axis=0) > 0.5] = 49
    found = measure_masks(labels, table="spineps", parts=Volume(parts, AFFINE, unit="display"))
    truth = sagittal_values(SPINE.corners, NAMES)
    assert found["lordosis_l1_l5"].value == pytest.approx(truth["lordosis_l1_l5"], abs=1.5)


def test_masks_that_cannot_be_measured_say_why():
    labels = volume_of("totalspineseg")
    upper, lower = labels.array == 42, labels.array == 43
    swapped = measure_masks(replace(labels, array=labels.array + upper - lower))
    assert "do not follow each other: T11, T12, L1, L3, L2, L4, L5" in swapped.rejection_reasons[0]
    sixth = volume_of("spineps")
    sixth = measure_masks(replace(sixth, array=np.where(sixth.array == 24, 25, sixth.array)), table="spineps")
    assert "transitional anatomy in the mask (L6)" in sixth.rejection_reasons[0]
    few = measure_masks(volume_of("totalspineseg", names=("L4", "L5")))
    assert "too few vertebral bodies in the mask: 2" in few.rejection_reasons[0]
    with pytest.raises(ValueError, match="Unknown table 'other'"):
        measure_masks(volume_of("totalspineseg"), table="other")
    with pytest.raises(UnsupportedFormatError, match="is not on the grid"):
        measure_masks(volume_of("totalspineseg"), Volume(np.zeros((2, 5, 5)), np.eye(4)))


def test_the_command_measures_masks(capsys, tmp_path):
    volume = volume_of("totalspineseg")
    affine = (np.diag([-1.0, -1, 1, 1]) @ volume.affine)[:, [2, 1, 0, 3]]
    nibabel.save(nibabel.Nifti1Image(volume.array.T.astype(np.uint8), affine), tmp_path / "mask.nii.gz")
    assert main(["measure", str(tmp_path / "mask.nii.gz"), "--masks_from", "totalspineseg"]) == 0
    assert "L1 to L5" in capsys.readouterr().out


def test_a_speck_of_the_canal_hides_no_vertebra():
    labels = volume_of("totalspineseg")
    array = labels.array.copy()
    array[:, 40:44, 2:5] = TABLES["totalspineseg"].canal[-1]
    assert [each.name for each in measure_masks(replace(labels, array=array)).vertebrae] == list(NAMES)


def test_a_canal_in_two_parts_cuts_all_vertebrae():
    labels = volume_of("totalspineseg")
    array = labels.array.copy()
    part = array[:, array.shape[1] // 2 - 8 : array.shape[1] // 2 + 8]
    part[np.isin(part, TABLES["totalspineseg"].canal)] = 0
    whole, parted = measure_masks(labels), measure_masks(replace(labels, array=array))
    for name in ("lordosis_l1_l5", "depth_l1_mm", "depth_l5_mm"):
        assert parted[name].value == pytest.approx(whole[name].value, abs=0.5)


def test_vertebrae_of_the_mask_that_are_not_measured_are_named():
    labels = volume_of("totalspineseg")
    codes = {level: code for code, level in TABLES["totalspineseg"].vertebrae.items()}
    array = labels.array.copy()
    array[:, 2:14, -20:-4] = codes["T5"]
    found = measure_masks(replace(labels, array=array))
    assert [each.name for each in found.vertebrae] == list(NAMES)
    assert any("Not measured" in note and "T5" in note for note in found.notes)


@pytest.mark.parametrize("words", [("--lowest", "L3"), ("--anchor", "L4=1,2"), ("--model", "x"), ("--masks", "m")])
def test_options_without_effect_on_masks_are_refused(words, capsys, tmp_path):
    (tmp_path / "mask.nii.gz").touch()
    assert main(["measure", str(tmp_path / "mask.nii.gz"), "--masks_from", "spineps", *words]) == 1
    assert f"omit {words[0]}" in capsys.readouterr().err
