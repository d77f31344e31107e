"""A stack of slices with its place in the patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import UnreadableImageError, UnsupportedFormatError
from spinealign.imaging.slice import Slice

VolumeUnit = Literal["HU", "display", "arbitrary"]
_Value = TypeVar("_Value", bound=np.generic)
_LEFT, _POSTERIOR, _SUPERIOR = range(3)  # the axes of patient coordinates


@dataclass(frozen=True, eq=False, repr=False)
class Volume:
    """A scan in three dimensions. It contains nothing that identifies the patient.

    A volume is a sequence of its slices as they were acquired: `volume[0]`, `len(volume)`.

    Attributes:
        array: float32 of shape (S, H, W), all finite: slices, rows and columns.
        affine: Matrix of shape (4, 4) from the indices (slice, row, column, 1) to patient coordinates in mm: left,
            posterior and superior (LPS), as in DICOM.
        unit: `HU` for calibrated CT, `display` for gray levels from 0 (black) to 255 (white), or `arbitrary` for the
            numbers of a scanner.
        window: Values that are shown as black and white, unless the unit is `HU`; one pair for all slices.
        assumed_white: See `Slice.assumed_white`.
        modality: DICOM modality such as `MR`; None if unknown.
        description: Sequence, such as `SE T2` or `GR`; empty if unknown.
        instances: Number of each slice in its series; None if unknown.
        placed: Whether the affine is that of the patient; not if it was assumed, because the source has none.
        origin: Where the volume came from: the path as given, or the kind of object.
        notes: Sentences about what was left out, ignored or assumed while reading.

    Raises:
        UnsupportedFormatError: If `array` is not a 3-D array of real numbers with at least one voxel, or `affine` not
            an invertible matrix of shape (4, 4).
        UnreadableImageError: If a voxel is NaN or infinite.
    """

    array: NDArray[np.float32]
    affine: NDArray[np.float64]
    unit: VolumeUnit = "HU"
    window: tuple[float, float] = (0.0, 255.0)
    assumed_white: float | None = None
    modality: str | None = None
    description: str = ""
    instances: tuple[int | None, ...] = ()
    placed: bool = True
    origin: str = "array"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        array, affine = np.asarray(self.array), np.array(self.affine, np.float64)
        if array.ndim != 3 or 0 in array.shape or array.dtype.kind not in "buif":
            raise UnsupportedFormatError(
                f"Expected a non-empty 3-D array of real numbers, got {array.dtype} of shape {array.shape}."
            )
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise UnsupportedFormatError("The affine must be an invertible matrix of shape (4, 4).")
        array = array.astype(np.float32, copy=array.flags.writeable)
        if not np.isfinite(array).all():
            raise UnreadableImageError("The volume contains NaN or infinite voxels; replace them first.")
        for name, value in (("array", array), ("affine", affine)):
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "instances", self.instances or (None,) * len(array))

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape))
        spacing = " x ".join(f"{value:.3g}" for value in self.spacing_mm)
        return f"Volume({size} voxels of {spacing} mm, unit={self.unit!r}, origin={self.origin!r})"

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> Slice:
        if not -len(self) <= index < len(self):
            raise IndexError(f"The volume has {len(self)} slices, got index {index}.")
        return self._plane(0, index % len(self), down=(1, False), along=(2, False))

    def __iter__(self) -> Iterator[Slice]:
        return (self[index] for index in range(len(self)))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of slices, rows and columns."""
        slices, rows, columns = self.array.shape
        return slices, rows, columns

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighboring voxel centers from slice to slice, down a column and along a row."""
        slices, rows, columns = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(slices), float(rows), float(columns)

    def has_grid_of(self, other: Volume) -> bool:
        """Return whether both have the same voxels in the patient, up to 0.1 mm."""
        return self.shape == other.shape and np.allclose(self.affine, other.affine, atol=0.1)

    def sagittal(self, x_mm: float | None = None) -> Slice:
        """Return the sagittal plane nearest to a position: superior up, anterior left.

        The plane is not resampled: it follows the axes of the array, and its two spacings may differ.

        Args:
            x_mm: Patient coordinate (left is positive); None for the middle of the volume.
        """
        return self._view(_LEFT, x_mm, down=(_SUPERIOR, -1), along=(_POSTERIOR, 1))

    def sagittal_at(self, index: int) -> Slice:
        """Return the sagittal plane at an index along `sagittal_axis`, as `sagittal` does.

        Raises:
            IndexError: If the position is outside the volume.
        """
        if not 0 <= index < self.shape[self.sagittal_axis]:
            raise IndexError(f"The volume has {self.shape[self.sagittal_axis]} sagittal planes, got index {index}.")
        return self._across(_LEFT, index, down=(_SUPERIOR, -1), along=(_POSTERIOR, 1))

    def from_sagittal(self, planes: Mapping[int, NDArray[_Value]]) -> NDArray[_Value]:
        """Return an array of the shape of the volume with values in sagittal planes, and 0 elsewhere.

        Args:
            planes: Values of at least one plane in the orientation of `sagittal`, by their index along
                `sagittal_axis`.
        """
        axes = self._axes()
        values = np.zeros(self.shape, next(iter(planes.values())).dtype)
        placed = np.moveaxis(values, axes[_LEFT], 0)
        signs = ((_SUPERIOR, -1), (_POSTERIOR, 1))
        flips = [way for way, (patient, sign) in enumerate(signs) if self.affine[patient, axes[patient]] * sign < 0]
        for index, plane in planes.items():
            flipped = np.flip(plane, tuple(flips))
            placed[index] = flipped if axes[_SUPERIOR] < axes[_POSTERIOR] else flipped.T
        return values

    @property
    def sagittal_axis(self) -> int:
        """Axis of the array that is closest to the direction from right to left."""
        return self._axes()[_LEFT]

    def axial(self, z_mm: float | None = None) -> Slice:
        """Return the axial plane nearest to a position: anterior up, left of the patient on the right.

        The plane is not resampled: it follows the axes of the array, and its two spacings may differ.

        Args:
            z_mm: Patient coordinate (superior is positive); None for the middle of the volume.
        """
        return self._view(_SUPERIOR, z_mm, down=(_POSTERIOR, 1), along=(_LEFT, 1))

    def slice_nearest_to_midline(self) -> Slice:
        """Return the sagittal plane in the middle between the left and the right end of the volume.

        The origin of patient coordinates is arbitrary, so it is not used.
        """
        return self.sagittal()

    def _view(self, fixed: int, place_mm: float | None, *, down: tuple[int, int], along: tuple[int, int]) -> Slice:
        """Return the plane across a patient axis; `down` and `along` are patient axes with their signs."""
        axis = self._axes()[fixed]
        middle = (np.array(self.shape) - 1) / 2
        index = middle[axis]
        if place_mm is not None:
            center = self.affine[:3] @ (*middle, 1.0)
            index += (place_mm - center[fixed]) / self.affine[fixed, axis]
        return self._across(fixed, int(np.clip(np.round(index), 0, self.shape[axis] - 1)), down=down, along=along)

    def _across(self, fixed: int, index: int, *, down: tuple[int, int], along: tuple[int, int]) -> Slice:
        """Return the plane at an index of the axis of the array that is closest to a patient axis."""
        axes = self._axes()
        flips = [(axes[way], bool(self.affine[way, axes[way]] * sign < 0)) for way, sign in (down, along)]
        return self._plane(axes[fixed], index, down=flips[0], along=flips[1])

    def _axes(self) -> tuple[int, ...]:
        """Return the axis of the array that is closest to each patient axis."""
        directions = np.abs(self.affine[:3, :3] / self.spacing_mm)
        return max(permutations(range(3)), key=lambda axes: sum(directions[way, axis] for way, axis in enumerate(axes)))

    def _plane(self, fixed: int, index: int, *, down: tuple[int, bool], along: tuple[int, bool]) -> Slice:
        """Return the plane at an index of an axis of the array; the other axes may be flipped."""
        first = [0, 0, 0]
        first[fixed] = index
        values = np.moveaxis(self.array, fixed, 0)[index]
        values = values if down[0] < along[0] else values.T
        vectors = []
        for way, (axis, flipped) in enumerate((down, along)):
            vector = self.affine[:3, axis]
            if flipped:
                values, vector, first[axis] = np.flip(values, way), -vector, self.shape[axis] - 1
            vectors.append(vector)
        spacing = [float(np.linalg.norm(vector)) for vector in vectors]
        unit_vectors = np.concatenate([vectors[1] / spacing[1], vectors[0] / spacing[0]])
        if self.unit == "arbitrary":
            black, white = self.window
            values = np.clip((values - black) * (255 / (white - black)), 0, 255)
        return Slice(
            values,
            unit="HU" if self.unit == "HU" else "display",
            spacing_mm=(spacing[0], spacing[1]),
            modality=self.modality,
            origin=self.origin,
            assumed_white=self.assumed_white,
            position_mm=tuple((self.affine[:3] @ (*first, 1.0)).tolist()),
            orientation=tuple(unit_vectors.tolist()),
            instance=self.instances[index] if fixed == 0 else None,
            notes=self.notes,
        )
