from __future__ import annotations

import numpy as np
import pytest

from spinealign.errors import UnreadableImageError, UnsupportedFormatError
from spinealign.imaging.volume import Volume

# For each patient axis (left, posterior, superior): the axis of the array and its direction.
LAYOUTS = {
    "axial, from below": ((2, 1), (1, 1), (0, 1)),
    "axial, from above": ((2, 1), (1, 1), (0, -1)),
    "sagittal, from the left": ((0, -1), (2, 1), (1, -1)),
    "coronal, from the front": ((2, 1), (0, 1), (1, -1)),
    "axes of a NIfTI file": ((2, -1), (1, -1), (0, 1)),
}
SHAPE_MM = {"left": 3.0, "posterior": 2.0, "superior": 0.5}


def volume(layout) -> Volume:
    """Return 5 x 6 x 7 voxels (left, posterior, superior) whose value is 100 L + 10 P + S, in any layout."""
    left, posterior, superior = np.meshgrid(range(5), range(6), range(7), indexing="ij")
    patient = (100 * left + 10 * posterior + superior).astype(np.float32)
    affine = np.eye(4)
    affine[:3, :3] = 0
    order = [0, 0, 0]
    for way, ((axis, direction), spacing) in enumerate(zip(layout, SHAPE_MM.values())):
        order[axis] = way
        affine[way, axis] = direction * spacing
        if direction < 0:
            patient = np.flip(patient, way)
            affine[way, 3] = (patient.shape[way] - 1) * spacing
    return Volume(patient.transpose(order), affine)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_views_have_one_orientation_for_any_layout(layout):
    scan = volume(layout)
    sagittal, axial = scan.sagittal(), scan.axial()
    posterior, superior = np.meshgrid(range(6), range(6, -1, -1))
    np.testing.assert_array_equal(sagittal.pixels, 200 + 10 * posterior + superior)  # superior up, anterior left
    left, posterior = np.meshgrid(range(5), range(6))
    np.testing.assert_array_equal(axial.pixels, 100 * left + 10 * posterior + 3)  # anterior up, left on the right
    assert (sagittal.spacing_mm, axial.spacing_mm) == ((0.5, 2.0), (2.0, 3.0))
    assert sagittal.position_mm == (6.0, 0.0, 3.0)
    assert sagittal.orientation == (0, 1, 0, 0, 0, -1)
    assert axial.orientation == (1, 0, 0, 0, 1, 0)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_planes_are_found_by_their_position(layout):
    scan = volume(layout)
    assert scan.sagittal(x_mm=12.4).pixels[-1, 0] == 400
    assert scan.sagittal(x_mm=-99).pixels[-1, 0] == 0
    assert scan.axial(z_mm=0.6).pixels[0, 0] == 1
    assert scan.slice_nearest_to_midline().position_mm[0] == 6.0


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_sagittal_planes_are_put_back(layout):
    scan = volume(layout)
    planes = {index: scan.sagittal_at(index).pixels for index in range(scan.shape[scan.sagittal_axis])}
    np.testing.assert_array_equal(scan.from_sagittal(planes), scan.array)
    with pytest.raises(IndexError, match="5 sagittal planes, got index 5"):
        scan.sagittal_at(5)


def test_every_slice_knows_its_place():
    scan = volume(LAYOUTS["sagittal, from the left"])
    for index, image in enumerate(scan):
        corner = scan.affine @ (index, 0, 0, 1)
        np.testing.assert_allclose(image.position_mm, corner[:3])
        np.testing.assert_array_equal(image.pixels, scan.array[index])
        assert np.shares_memory(image.pixels, scan.array)
    assert len(scan) == 5
    with pytest.raises(IndexError, match="5 slices"):
        scan[5]


def test_arbitrary_units_are_shown_in_one_window():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    scan = Volume(array, np.eye(4), unit="arbitrary", window=(4, 14), assumed_white=10)
    np.testing.assert_allclose(scan[0].pixels, np.clip((array[0] - 4) * 25.5, 0, 255), atol=1e-4)
    assert (scan[0].unit, scan[0].assumed_white) == ("display", 10)
    inverted = Volume(array, np.eye(4), unit="arbitrary", window=(14, 4))
    np.testing.assert_allclose(inverted[0].pixels, 255 - scan[0].pixels, atol=1e-4)


@pytest.mark.parametrize(
    ("array", "affine", "error"),
    [
        (np.zeros((3, 4)), np.eye(4), UnsupportedFormatError),
        (np.zeros((0, 3, 4)), np.eye(4), UnsupportedFormatError),
        (np.zeros((2, 3, 4), complex), np.eye(4), UnsupportedFormatError),
        (np.zeros((2, 3, 4)), np.zeros((4, 4)), UnsupportedFormatError),
        (np.zeros((2, 3, 4)), np.eye(3), UnsupportedFormatError),
        (np.full((2, 3, 4), np.nan), np.eye(4), UnreadableImageError),
    ],
)
def test_unusable_arrays_are_refused(array, affine, error):
    with pytest.raises(error):
        Volume(array, affine)
