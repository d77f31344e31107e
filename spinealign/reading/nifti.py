"""Reader of NIfTI volumes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import UnreadableImageError, UnsupportedFormatError
from spinealign.imaging.volume import Volume
from spinealign.reading.inflating import GZIP, inflate
from spinealign.reading.kinds import NIFTI_GZ, kind_of
from spinealign.reading.request import Request
from spinealign.reading.values import scaled

if TYPE_CHECKING:
    from nibabel import Nifti1Header

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MILLIMETERS = {"meter": 1000.0, "micron": 0.001}
_AIR_HU = -500  # MRI may have small negative numbers too


def read_nifti(content: bytes, request: Request) -> Volume:
    """Read the first volume of a NIfTI file, version 1 or 2, compressed or not.

    Slices, rows and columns are the third, second and first axis of the file. Values are HU if some are as low as air.
    Other volumes are shown by the display range of the header, or by `scaled`.

    Raises:
        UnreadableImageError: If the file is damaged or exceeds a limit.
        UnsupportedFormatError: If its voxels are not real numbers, or it has several volumes and `request.whole`.
    """
    import nibabel

    if kind_of(content) is NIFTI_GZ:
        content = inflate(content, request, form=GZIP)
    with request.typed_errors():
        kind = nibabel.Nifti2Image if content[4:7] == b"n+2" else nibabel.Nifti1Image
        image = kind.from_bytes(content)
        shape, repeats = (*image.shape, 1, 1, 1)[:3], int(np.prod(image.shape[3:]))
        request.check_volume(shape)
        if repeats > 1 and request.whole:
            raise UnsupportedFormatError(
                f"{request.origin} has {repeats} volumes (time points or channels); save one of them as a 3-D file."
            )
        if 0 in image.shape or image.dataobj.offset < image.header.single_vox_offset:
            raise UnreadableImageError(f"{request.origin} has no voxels; copy or export it again.")
        if image.get_data_dtype().kind not in "buif":
            raise UnsupportedFormatError(f"{request.origin} has voxels that are not real numbers; export it again.")
        first = (..., *(0,) * (len(image.shape) - 3)) if len(image.shape) > 3 else ...
        values = np.asarray(image.dataobj[first]).reshape(shape).transpose(2, 1, 0)
        unit = _MILLIMETERS.get(image.header.get_xyzt_units()[0], 1.0)
        affine, notes, placed = _affine(image.header)
        shown = float(image.header["cal_min"]), float(image.header["cal_max"])
        affine = _LPS_FROM_RAS @ np.diag([unit, unit, unit, 1.0]) @ affine
    if repeats > 1:
        notes.append(f"The first of {repeats} volumes (time points or channels).")
    volume = scaled(values, affine[:, [2, 1, 0, 3]], request=request, notes=notes, shown=shown, air=_AIR_HU)
    return replace(volume, placed=placed)


def _affine(header: Nifti1Header) -> tuple[NDArray[np.float64], list[str], bool]:
    """Return the first usable matrix to RAS, notes on what was assumed or ignored, and whether the header has it."""
    notes: list[str] = []
    for name, form in (("sform", header.get_sform(coded=True)), ("qform", header.get_qform(coded=True))):
        if form[1]:
            if np.isfinite(form[0]).all() and abs(np.linalg.det(form[0])) > 0:
                return form[0], notes, True
            notes.append(f"The {name} is not an invertible matrix and was ignored.")
    notes.append("The orientation is unknown and was taken from the order of the axes.")
    return header.get_base_affine(), notes, False
