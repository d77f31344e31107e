"""Reader of volumes of any accepted kind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinealign.config import ReadingLimits
from spinealign.errors import ImageError, UnreadableImageError, UnsupportedFormatError
from spinealign.imaging.slice import Slice, Unit
from spinealign.imaging.volume import Volume
from spinealign.reading.dicom import is_dataset
from spinealign.reading.discovery import list_images
from spinealign.reading.files import check_bytes, read_file, read_head
from spinealign.reading.kinds import DICOM, NIFTI, NIFTI_GZ, NPY, accepted_kind, kind_of
from spinealign.reading.nifti import read_nifti
from spinealign.reading.raster import as_array, load_npy, read_pages
from spinealign.reading.request import Request
from spinealign.reading.series import Loader, read_series
from spinealign.reading.slices import SliceSource, SupportsArray, SupportsPixelArray, read_slice, read_stream
from spinealign.reading.stacks import Grouping, Place, affine_of, listed, longest_stack
from spinealign.reading.values import scaled

VolumeSource: TypeAlias = (
    str | os.PathLike[str] | bytes | IO[bytes] | SupportsArray | SupportsPixelArray | Volume | Iterable[SliceSource]
)


def read_volume(  # noqa: PLR0911 - one per kind of source
    source: VolumeSource,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
    unit: Unit | None = None,
    white: float | None = None,
    limits: ReadingLimits | None = None,
    whole: bool = False,
) -> Volume:
    """Read a scan in three dimensions.

    A DICOM series is sorted by position along the normal of its slices, and the longest consistent stack is taken:
    `notes` names localizers, other series, orientations and time points, duplicates, and slices beyond a gap. CT is in
    HU. Other DICOM keeps the numbers of the scanner, with one window for all slices: the median of their windows, or
    the largest value of `BitsStored`.

    Args:
        source: Folder or archive of DICOM files, of images or with one NIfTI file; list of files, datasets or slices;
            multi-frame DICOM file; NIfTI file; TIFF with several pages; array or `.npy` of shape (slices, rows,
            columns); or `Volume`.
        spacing_mm: Distance of slices, rows and columns, for arrays and stacks of images, which do not state it. They
            are taken as axial, from inferior to superior.
        unit: Unit of the values of an array or NIfTI file: `HU`, or `display` for gray levels from 0 to 255.
        white: Value shown as white, for an array, a NIfTI file, or DICOM without a window.
        limits: Limits of files and volumes; None for the defaults.
        whole: Refuse a NIfTI file of several volumes, instead of reading the first.

    Returns:
        The volume, without anything that identifies the patient.

    Raises:
        UnreadableImageError: If nothing can be read, or a limit is exceeded.
        UnsupportedFormatError: If the source is not a volume.
        TypeError: If `source` is not of an accepted type.
        ValueError: If `unit` is unknown, or `white` or the spacing is not positive.

    Examples:
        >>> volume = read_volume(np.zeros((5, 8, 8), np.uint8), spacing_mm=(3, 1, 1))
        >>> volume.sagittal().spacing_mm
        (3.0, 1.0)
    """
    spacing = None if spacing_mm is None else tuple(np.ravel(spacing_mm).tolist())
    request = Request("volume", unit, white, None, limits or ReadingLimits(), spacing, whole)
    if isinstance(source, Volume):
        return source
    if isinstance(source, (str, os.PathLike)):
        return _read_path(os.fspath(source), replace(request, origin=os.fspath(source)))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read_content(bytes(source), replace(request, origin="bytes"))
    if is_dataset(source):
        return _read_files([source], replace(request, origin="dataset"))
    if hasattr(source, "__array__"):
        return _read_array(as_array(source), replace(request, origin="array"))
    if hasattr(source, "read"):
        return _read_content(read_stream(source, request.limits), replace(request, origin="file object"))
    if isinstance(source, Iterable):
        return _read_files(list(source), replace(request, origin="list"))
    raise TypeError(f"Expected a path, bytes, an array or a list of slices, got {type(source).__name__}.")


def _read_path(path: str, request: Request) -> Volume:
    if not os.path.isdir(path) and kind_of(read_head(path)).role != "archive":
        return _read_content(read_file(path, request.limits), request)
    listing = list_images(path)
    if not listing.images and len(listing.volumes) == 1:
        return _read_content(read_file(listing.volumes[0].path, request.limits), request)
    if not listing.images and listing.volumes:
        example = listing.volumes[0].path
        raise UnsupportedFormatError(f"{path} contains {len(listing.volumes)} volumes; pass one of them: {example}.")
    if not listing.images:
        raise UnsupportedFormatError(f"{path} contains no images. {listing.note}".rstrip())
    notes = [listing.note] if listing.note else []
    files = listing.images
    if not any(_is_dicom(file.path) for file in files):  # a series knows its files, a folder of pictures is one stack
        folders = Counter(os.path.dirname(file.name) for file in files)
        folder, count = folders.most_common(1)[0]
        if count < len(files):
            files = [file for file in files if os.path.dirname(file.name) == folder]
            notes.append(f"{len(listing.images) - count} images of other folders than {folder or path} were left out.")
    volume = _read_files([file.path for file in files], request)
    return replace(volume, notes=(*volume.notes, *notes))


def _read_content(content: bytes, request: Request) -> Volume:
    check_bytes(content, origin=request.origin, limits=request.limits)
    kind = kind_of(content)
    if kind in (NIFTI, NIFTI_GZ):
        _refuse(request.spacing_mm, "spacing_mm")
        return read_nifti(content, request)
    if accepted_kind(content, request.origin) is DICOM:
        return _read_series([content], request)
    if kind is NPY:
        return _read_array(load_npy(content, request), request)
    return _stack(read_pages(content, request), request)


def _read_array(array: NDArray[Any], request: Request) -> Volume:
    if array.ndim != 3 or 0 in array.shape or array.dtype.kind not in "buif":
        raise UnsupportedFormatError(
            f"Expected an array of real numbers of shape (slices, rows, columns), got {array.dtype} of shape "
            f"{array.shape}."
        )
    request.check_volume(array.shape)
    affine, notes = _assumed_place(request)
    return replace(scaled(array, affine, request=request, notes=notes), placed=False)


def _read_series(sources: Sequence[Any], request: Request) -> Volume:
    _refuse(request.spacing_mm, "spacing_mm")
    _refuse(request.unit, "unit")
    volume = read_series([_loader(source, request) for source in sources], request)
    if request.white is None:
        return volume
    if volume.assumed_white is None:
        raise ValueError("white applies to volumes without a known scale; omit it.")
    return replace(volume, window=(volume.window[0], request.white), assumed_white=None)


def _refuse(value: object, name: str) -> None:
    """Refuse an argument for a source that states what it would say."""
    if value is not None:
        raise ValueError(f"{name} applies to sources that do not state it, such as arrays; omit it for this one.")


def _read_files(sources: Sequence[Any], request: Request) -> Volume:
    """Read a list of paths, contents, datasets or slices: those of DICOM, if there are any, or a stack of images."""
    sources = [read_stream(source, request.limits) if hasattr(source, "read") else source for source in sources]
    dicom = [source for source in sources if _is_dicom(source)]
    if dicom:
        volume = _read_series(dicom, request)
        others = len(sources) - len(dicom)
        notes = [f"{others} images that are not DICOM were left out."] if others else []
        return replace(volume, notes=(*volume.notes, *notes))
    slices, problems = [], []
    for source in sources:
        try:
            slices.append(read_slice(source, unit=request.unit, white=request.white, limits=request.limits))
        except ImageError as error:
            problems.append(str(error))
    if not slices:
        raise UnreadableImageError(f"{request.origin} has no image that can be read. {' '.join(problems[:1])}".rstrip())
    volume = _stack(slices, request)
    note = f"{len(problems)} of {len(sources)} images cannot be read. {' '.join(problems[:1])}"
    return replace(volume, notes=(*volume.notes, note)) if problems else volume


def _is_dicom(source: Any) -> bool:
    if isinstance(source, (str, os.PathLike)):
        try:
            return kind_of(read_head(source)) is DICOM
        except ImageError:  # reported when it is read
            return False
    is_content = isinstance(source, (bytes, bytearray, memoryview))
    return is_dataset(source) or (is_content and kind_of(bytes(source)) is DICOM)


def _loader(source: Any, request: Request) -> Loader:
    if isinstance(source, (str, os.PathLike)):
        return partial(read_file, source, request.limits)
    return lambda: source if is_dataset(source) else bytes(source)


def _stack(slices: Sequence[Slice], request: Request) -> Volume:
    """Return a volume of the longest consistent stack of slices, in the given order if their positions are unknown."""
    grouping = Grouping()
    places = []
    for index, item in enumerate(slices):
        group, position = grouping.group_of(item, size=item.shape, unit=item.unit)
        places.append(Place(group, position, index, instance=item.instance if position else None))
    stack, left_out = longest_stack(places)
    if len(stack) < 2:
        raise UnsupportedFormatError(f"{request.origin} has no two images of the same size and unit that are parallel.")
    chosen = [slices[place.file] for place in stack]
    request.check_volume((len(chosen), *chosen[0].shape))
    if stack[0].position:
        _refuse(request.spacing_mm, "spacing_mm")
        affine, notes = affine_of(stack)
    else:
        affine, notes = _assumed_place(request)
    if left_out:
        notes.append(f"{left_out.total()} of {len(slices)} images were left out: {listed(left_out)}.")
    modalities = {item.modality for item in chosen}
    return Volume(
        np.stack([item.pixels for item in chosen]),
        affine,
        unit=chosen[0].unit,
        assumed_white=chosen[0].assumed_white,
        modality=modalities.pop() if len(modalities) == 1 else None,
        instances=tuple(item.instance for item in chosen),
        placed=bool(stack[0].position),
        origin=request.origin,
        notes=tuple(dict.fromkeys([*notes, *(note for item in chosen for note in item.notes)])),
    )


def _assumed_place(request: Request) -> tuple[NDArray[np.float64], list[str]]:
    """Return the affine of axial slices from inferior to superior, and notes on what was assumed."""
    notes = ["The orientation is unknown: the slices are taken as axial, from inferior to superior."]
    if request.spacing_mm is None:
        notes.append("The spacing is unknown and was taken as 1 mm; pass spacing_mm.")
    slices, rows, columns = request.spacing_mm or (1.0, 1.0, 1.0)
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = slices, rows, columns, 1
    return affine, notes
