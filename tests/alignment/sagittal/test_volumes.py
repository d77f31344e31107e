"""The spine in a volume, with an engine that knows the masks of each plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from drawn_slices import BODIES, HEIGHT, LEFT, PITCH, RIGHT, SHAPE, PerfectEngine, drawn_slice

from spinealign.alignment.sagittal.aligner import SagittalMeasurer
from spinealign.alignment.sagittal.preparing import prepare_sagittal, segmenter_input
from spinealign.alignment.sagittal.volumes import find_midline, spine_of_volume
from spinealign.checkpoint.sagittal_settings import SagittalSettings
from spinealign.cohort.masks.labeled import BODY, CANAL, L5, S1, LabeledSlice
from spinealign.imaging.volume import Volume

SAGITTAL = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # slices to the left, rows down


class PlaneEngine(PerfectEngine):
    """Engine that returns the masks of the plane that it is shown."""

    def __init__(self, volume: Volume, items: Mapping[int, LabeledSlice]) -> None:
        self._engines = {}
        for index in range(volume.shape[volume.sagittal_axis]):
            gray = prepare_sagittal(volume.sagittal_at(index)).gray
            self._engines[segmenter_input(gray).tobytes()] = PerfectEngine(items[index])
        self.segmented = 0

    def segment(self, pixel_values):
        self.segmented += 1
        return self._engines[pixel_values.tobytes()].segment(pixel_values)


def plane(*, canal: bool = True, slip: int = 0, bodies: bool = True, sacrum: bool = True) -> LabeledSlice:
    item = drawn_slice(shift=slip)
    if canal:
        item.structures[10:210, RIGHT + 4 : RIGHT + 18] |= CANAL
    if not bodies:
        item.structures[:] &= ~np.uint8(BODY | L5)
    if not sacrum:
        item.structures[:] &= ~np.uint8(S1)
    return item


def scan(items: Mapping[int, LabeledSlice], *, step: float = 1.0) -> tuple[Volume, SagittalMeasurer, PlaneEngine]:
    rng = np.random.default_rng(0)
    affine = SAGITTAL @ np.diag([step, 1, 1, 1])
    volume = Volume(rng.random((len(items), *SHAPE)).astype(np.float32) * 200, affine, unit="display", modality="MR")
    engine = PlaneEngine(volume, items)
    return volume, SagittalMeasurer(SagittalSettings(), engine), engine


@pytest.fixture(scope="module")
def thin():
    """Return a volume of 21 planes whose canal is in planes 3 to 11, and its alignment with masks."""
    items = {index: plane(canal=3 <= index <= 11, slip=index % 3, bodies=index < 18) for index in range(21)}
    volume, measurer, engine = scan(items)
    alignment = measurer.measure(volume)
    return volume, alignment, engine.segmented, measurer.measure(volume, masks=True).masks


def test_the_midline_is_in_the_middle_of_the_canal(thin):
    _, alignment, segmented, _ = thin
    assert alignment.slice_index == 7
    assert segmented <= 12, "not every plane is segmented"
    assert [each.name for each in alignment.vertebrae] == ["T12", "L1", "L2", "L3", "L4", "L5"]


def test_values_are_medians_over_the_slices_near_the_midline(thin):
    alignment = thin[1]
    one = {slip: SagittalMeasurer(SagittalSettings(), PerfectEngine(plane(slip=slip))) for slip in (0, 1, 2)}
    planes = {slip: measurer.measure(thin[0][0])["slip_l4_l5_mm"].value for slip, measurer in one.items()}
    assert alignment["slip_l4_l5_mm"].value == pytest.approx(planes[1], abs=1e-6)
    assert not any("One slice" in note for note in alignment.notes)


def test_masks_have_the_geometry_of_the_source(thin, tmp_path):
    volume, alignment, _, masks = thin
    with pytest.raises(ValueError, match="masks=True"):
        alignment.save_masks(tmp_path / "masks.nii.gz")
    table = masks.save(tmp_path / "masks.nii.gz")
    stored = nibabel.load(tmp_path / "masks.nii.gz")
    values = np.asarray(stored.dataobj)

    assert values.shape == volume.shape[::-1]
    np.testing.assert_allclose(stored.affine @ (30, 20, 5, 1), [-5, -30, -20, 1])  # RAS, from columns, rows, slices
    assert '"24": "L5"' in table.read_text()
    body = values[LEFT:RIGHT, 10 + 5 * PITCH : 10 + 5 * PITCH + HEIGHT, :18]
    assert (body == 24).mean() > 0.98
    assert (values[..., 18:] == 24).sum() == 0
    assert {61, 26, 123} < set(np.unique(values).tolist())


def test_thick_slices_are_measured_alone():
    items = {index: plane(canal=index in (2, 3, 4)) for index in range(7)}
    alignment = scan(items, step=4.5)[1].measure(scan(items, step=4.5)[0])
    assert alignment.slice_index == 3
    assert any("The slices are 4.5 mm apart" in note for note in alignment.notes)
    assert any("One slice" in note for note in alignment.notes)


def test_slices_that_disagree_take_the_levels_away():
    items = {index: plane(sacrum=index in (3, 4)) for index in range(9)}
    volume, measurer, _ = scan(items)
    alignment = measurer.measure(volume)
    assert alignment.numbering.source == "bottom"
    assert alignment.numbering.reasons == ("Neighboring slices disagree about the levels.",)
    assert [each.name for each in alignment.vertebrae][-1] == "V1"
    assert alignment["segment_v2_v1"].value is not None
    assert alignment["lordosis_l1_l5"].reason == "The levels are not certain."
    assert "slices on both sides" in alignment["coronal_deviation_mm"].reason


def curved(offset: float) -> dict[int, LabeledSlice]:
    """Return planes of bodies 40 mm wide; those in the middle are displaced to the side."""
    items = {}
    for index in range(-16, 17):
        item = plane()
        for number in range(1, BODIES + 1):
            aside = offset * (1 - ((number - 3.5) / 2.5) ** 2)
            if abs(2 * index - aside) > 20:
                item.structures[item.bodies == number] &= ~np.uint8(BODY | L5)
        items[index + 16] = item
    return items


@pytest.mark.parametrize(("offset", "present"), [(0.0, False), (8.0, True)])
def test_a_curve_to_the_side_is_suspected(offset, present):
    volume, measurer, _ = scan(curved(offset), step=2.0)
    alignment = measurer.measure(volume)
    finding = next(each for each in alignment.findings if each.name == "scoliosis")
    assert alignment["coronal_deviation_mm"].value == pytest.approx(offset, abs=1.5)
    assert finding.present == present


def test_axial_slices_are_refused():
    affine = np.array([[0, 0, 1.0, 0], [0, 1, 0, 0], [4, 0, 0, 0], [0, 0, 0, 1]])
    volume = Volume(np.ones((20, 64, 64), np.float32), affine, unit="display", modality="MR")
    found = scan({0: plane()})[1].measure(volume)
    assert found.rejection_reasons == ("wrong plane: axial slices, 4.0 mm apart (expects sagittal slices)",)


def test_all_slices_of_a_small_volume_count():
    volume, measurer, _ = scan({index: plane(slip=index) for index in range(3)})
    alignment = measurer.measure(volume)
    middle = SagittalMeasurer(SagittalSettings(), PerfectEngine(plane(slip=1))).measure(volume[1])
    assert alignment["slip_l4_l5_mm"].value == pytest.approx(middle["slip_l4_l5_mm"].value, abs=1e-6)
    assert not any("one was measured" in note or "one sagittal slice" in note for note in alignment.notes)
    single, measurer, _ = scan({0: plane()})
    assert "The volume has one sagittal slice." in measurer.measure(single).notes


@pytest.mark.parametrize(("step", "count"), [(1.0, 5), (0.5, 5), (2.0, 3), (4.0, 1)])
def test_slices_within_3_mm_are_measured(step, count):
    volume, measurer, _ = scan({index: plane() for index in range(9)}, step=step)
    planes, middle = find_midline(measurer.engine, volume)
    assert spine_of_volume(planes, middle).slices == count


def test_a_rejected_volume_has_reasons_for_all_measures():
    volume, _, engine = scan({index: plane() for index in range(3)})
    found = SagittalMeasurer(SagittalSettings(min_probability=1.1), engine).measure(volume)
    assert "not recognized as a sagittal spine" in found.rejection_reasons[0]
    assert "not recognized as a sagittal spine" in found["coronal_deviation_mm"].reason
    assert (found.findings[-1].name, found.slice_index) == ("scoliosis", 1)


def test_spacings_that_are_far_too_large_are_refused():
    volume, measurer, _ = scan({index: plane() for index in range(3)})
    found = measurer.measure(replace(volume, affine=volume.affine @ np.diag([1.0, 5, 5, 1])))
    assert found.rejection_reasons == ("implausible spacing: pixels of 5.0 mm",)
    assert found["coronal_deviation_mm"].value is None
