"""Reading of collections of sagittal slices with masks."""

from __future__ import annotations

from itertools import pairwise

import nibabel
import numpy as np
import pytest
from PIL import Image

from spinealign.cohort.masks.labeled import BODY, CANAL, DISC, L5, S1
from spinealign.cohort.masks.loading import load_slices
from spinealign.errors import CohortError


def test_a_table_of_images_and_masks_is_read(table, drawing):
    cohort = load_slices(table())

    (item,) = cohort.slices
    assert np.array_equal(item.bodies, drawing[1])
    assert np.array_equal(item.mask(L5), drawing[1] == 1)
    assert np.array_equal(item.mask(BODY), drawing[1] > 0)
    assert item.in_mm
    assert item.patient.endswith("/7")
    assert (item.ignored & DISC).all()
    assert (item.ignored & CANAL).all()


def test_spacing_scales_pictures_and_masks(table, drawing):
    folder = table()
    (folder / "masks.csv").write_text("image,mask,spacing_mm\na.png,b.png,1.25 0.75\n")
    (item,) = load_slices(folder).slices
    assert item.gray.shape == (320, 120)
    assert item.mask(BODY).sum() == pytest.approx(1.25 * 0.75 * (drawing[1] > 0).sum(), rel=0.02)


def test_bodies_above_the_highest_labeled_one_are_ignored(table):
    (item,) = load_slices(table()).slices

    ignored = (item.ignored & BODY) > 0
    assert ignored[:38].all()
    assert not ignored[45:].any()


def test_bodies_below_unknown_levels_are_ignored(table, drawing):
    folder = table(labels={"1": "vertebra"})
    Image.fromarray((drawing[1] > 0).astype(np.uint8)).save(folder / "b.png")

    (item,) = load_slices(folder).slices

    assert (item.ignored & BODY)[200:].all()
    assert not (item.ignored & BODY)[80:185].any()
    assert (item.ignored & L5).all()
    assert (item.ignored & S1).all()


def test_s1_is_found_below_l5(table):
    (item,) = load_slices(table()).slices

    assert item.mask(S1)[206:222, 68:88].mean() > 0.9
    assert not (item.mask(S1) & item.mask(BODY)).any()
    assert item.sacrum == pytest.approx((78, 200), abs=6)
    ring = (item.ignored & S1) > 0
    assert ring.any()
    assert not (ring & item.mask(S1)).any()


def test_s1_that_is_not_found_is_ignored_at_its_place(table, drawing):
    drawing[0][195:] = 60

    (item,) = load_slices(table()).slices

    assert not item.mask(S1).any()
    assert ((item.ignored & S1) > 0)[200:230, 68:88].all()


def test_colors_name_structures(table, drawing):
    folder = table(labels={"255,0,0": "L5", "0,255,0": "L4", "0,0,255": "L3", "255,255,0": "L2", "9,9,9": "disc"})
    colors = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)], np.uint8)
    mask = colors[drawing[1]]
    mask[192:198, 60:96] = 9
    Image.fromarray(mask).save(folder / "b.png")

    (item,) = load_slices(folder).slices

    assert np.array_equal(item.bodies, drawing[1])
    assert item.mask(DISC).sum() == 6 * 36
    assert not (item.ignored & DISC)[60:].any()


def test_all_sagittal_slices_of_a_volume_are_read(table, drawing):
    folder = table(image="a.nii.gz", mask="b.nii.gz")
    affine = np.diag([-3.0, -1.0, -1.0, 1.0])  # of a file whose axes point to the left, posterior and inferior
    for name, picture in zip(("a.nii.gz", "b.nii.gz"), drawing):
        nibabel.save(nibabel.Nifti1Image(np.stack([picture.T] * 3), affine), folder / name)

    cohort = load_slices(folder)

    assert len(cohort.slices) == 3
    assert all(np.array_equal(item.bodies, drawing[1]) for item in cohort.slices)
    assert len({item.patient for item in cohort.slices}) == 1


def test_vertebrae_are_cut_at_the_front_of_the_canal(table, drawing):
    vertebrae = np.where(drawing[1] > 0, 1, 0).astype(np.uint8)
    for top in range(40, 200, 40):
        vertebrae[top + 10 : top + 16, 96:130] = 1  # pedicle and arch
    vertebrae[192:198, 60:96] = 2
    vertebrae[20:240, 97:112] = 3
    vertebrae[180, 60] = 3  # a stray pixel
    folder = table(labels={"1": "vertebra", "2": "disc", "3": "canal"})
    Image.fromarray(vertebrae).save(folder / "b.png")

    (item,) = load_slices(folder).slices

    assert item.bodies.max() == 4
    assert (item.bodies != drawing[1]).sum() < 0.03 * (drawing[1] > 0).sum()
    assert np.array_equal(item.mask(L5), item.bodies == 1)
    assert item.mask(CANAL).any()
    assert ((item.ignored & BODY) > 0)[50:56, 115:130].all()


def test_rows_that_cannot_be_used_are_counted(table):
    rows = "missing.png,b.png,8,1\na.png,b.png,9,wide\na.png,,10,1\n"

    cohort = load_slices(table(rows=rows))

    assert len(cohort.slices) == 1
    assert "3 rows that cannot be read" in cohort.notes[0]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [({"1": "sacrum"}, "Unknown structure"), ({"one": "L5"}, "label value"), ([], "must be an object")],
)
def test_faulty_label_names_are_refused(table, labels, reason):
    with pytest.raises(CohortError, match=reason):
        load_slices(table(labels=labels))


def test_a_folder_of_no_known_kind_is_refused(tmp_path):
    with pytest.raises(CohortError, match=r"masks\.csv"):
        load_slices(tmp_path)


def test_the_digest_follows_pixels_and_labels(table, drawing):
    before = load_slices(table()).digest
    again = load_slices(table()).digest
    drawing[0][100, 20] += 1

    assert before == again
    assert load_slices(table()).digest != before


@pytest.mark.data
def test_lumbar_mri_begins_at_l5(tmp_path, data):
    for kind in ("image", "vertebrae"):
        name = f"vb3_28_{kind}.nii.gz"
        (tmp_path / name).symlink_to(data / "lumbar_mri" / name)

    cohort = load_slices(tmp_path)

    assert len(cohort.slices) == 8
    assert {item.patient for item in cohort.slices} == {"lumbar_mri/vb3_28"}
    assert all(len(item.body_masks()) == 5 for item in cohort.slices)
    assert all(600 < item.mask(L5).sum() < 1200 for item in cohort.slices)
    assert all(item.mask(S1).any() for item in cohort.slices)


@pytest.mark.data
def test_spider_has_masks_and_boxes(tmp_path, data):
    names = (
        *("disc_boxes.csv", "overview.csv", "sagittal/104_t2.jpg", "sagittal/100_t1.jpg"),
        *(f"t2_space/{place}" for place in ("images/34_t2_SPACE_slice60.jpg", "masks/34_t2_SPACE_slice60.png")),
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(data / "spider" / name)

    cohort = load_slices(tmp_path)

    (item,) = cohort.slices
    assert (item.patient, item.sequence, item.in_mm) == ("spider/34", "SPACE", True)
    assert all(item.mask(structure).any() for structure in (BODY, L5, S1, DISC, CANAL))
    boxes = {series.name: series.discs for series in cohort.boxed}
    assert boxes["100_t1"] == {}
    centers = [(box[1] + box[3]) / 2 for _, box in sorted(boxes["104_t2"].items())]
    assert centers == sorted(centers, reverse=True)
    assert all(20 < below - above < 50 for below, above in pairwise(centers))
