"""Reader of single-frame DICOM images. Nothing that identifies the patient leaves this module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import ImageError, UnreadableImageError, UnsupportedFormatError
from spinealign.imaging.muting import muted
from spinealign.imaging.slice import Slice
from spinealign.reading.request import Request

if TYPE_CHECKING:
    from pydicom import Dataset

# Defined terms for images (DICOM PS3.3 C.7.3.1.1.1). Other text is not passed on: it could be a name.
MODALITIES = frozenset({"CR", "CT", "DX", "IO", "MG", "MR", "NM", "OT", "PT", "PX", "RF", "RG", "US", "XA"})


def is_dataset(source: object) -> bool:
    """Return whether an object is a dataset of pydicom, without importing it."""
    pydicom = sys.modules.get("pydicom")
    return pydicom is not None and isinstance(source, pydicom.Dataset)


def read_dicom(content: bytes, request: Request) -> Slice:
    """Decode a single-frame image.

    CT is rescaled to HU (DICOM PS3.3 C.7.6.16.2.9, C.11.1) and not inverted for MONOCHROME1, which concerns the display
    only. Images of other modalities are windowed by their header or, without a window, scaled from 0 to the largest
    value of `BitsStored`, and inverted for MONOCHROME1.

    Raises:
        UnreadableImageError: If the file is damaged.
        UnsupportedFormatError: If it contains no image, several frames, or color.
    """
    with open_dicom(content, request) as dataset:
        return _slice_from(dataset, request.origin)


def read_dataset(dataset: Dataset, request: Request) -> Slice:
    """Decode a dataset of pydicom; as `read_dicom`."""
    with _typed_errors(request.origin):
        _check_image(dataset, request)
        return _slice_from(dataset, request.origin)


@contextmanager
def open_dicom(content: bytes, request: Request) -> Iterator[Dataset]:
    """Open a single-frame gray image; in the block, pydicom is muted and its errors become those of `read_dicom`."""
    import pydicom

    with _typed_errors(request.origin):
        dataset = pydicom.dcmread(BytesIO(content), force=True)
        _check_image(dataset, request)
        yield dataset


@contextmanager
def _typed_errors(origin: str) -> Iterator[None]:
    """Mute pydicom, and turn any exception into an `ImageError`: it raises many types for damaged files."""
    try:
        with muted():
            yield
    except ImageError:
        raise
    except Exception as error:  # the text may quote the header
        raise UnreadableImageError(
            f"{origin} is damaged or uses an unknown DICOM compression ({type(error).__name__}); export it again."
        ) from None


def _check_image(dataset: Dataset, request: Request) -> None:
    origin = request.origin
    if "PixelData" not in dataset:
        raise UnsupportedFormatError(f"{origin} is a DICOM object without an image; pass an image file.")
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise UnsupportedFormatError(f"{origin} has several frames; pass one frame as an array.")
    if int(dataset.get("SamplesPerPixel") or 1) != 1:
        raise UnsupportedFormatError(f"{origin} is a color image; pass a gray image.")
    request.check_size(int(dataset.Rows), int(dataset.Columns))


def _slice_from(dataset: Dataset, origin: str) -> Slice:
    from pydicom.pixels import apply_modality_lut

    values = np.asarray(apply_modality_lut(dataset.pixel_array, dataset), np.float32)
    spacing_mm = _spacing(dataset)
    if _is_ct(dataset):
        return Slice(values, unit="HU", spacing_mm=spacing_mm, modality="CT", origin=origin)
    modality = str(dataset.get("Modality") or "")
    known = modality if modality in MODALITIES else None
    levels, assumed_white = _displayed(dataset, values)
    return Slice(levels, spacing_mm=spacing_mm, modality=known, origin=origin, assumed_white=assumed_white)


def _is_ct(dataset: Dataset) -> bool:
    """Return whether the rescaled values are HU.

    A screenshot of a CT has no rescale, and the RSNA 2022 files have no modality.
    """
    from pydicom.uid import CTImageStorage

    if "RescaleIntercept" not in dataset:
        return False
    if modality := dataset.get("Modality"):
        return str(modality) == "CT"
    return (
        dataset.get("SOPClassUID") == CTImageStorage
        or dataset.get("RescaleType") == "HU"
        or float(dataset.RescaleIntercept or 0) <= -1000
    )


def _displayed(dataset: Dataset, values: NDArray[np.float32]) -> tuple[NDArray[np.float32], float | None]:
    """Return gray levels as a viewer shows them, and the value of white if it is not known from a window."""
    from pydicom.pixels import apply_modality_lut, apply_windowing

    bits = int(dataset.BitsStored)
    windowed = dataset.get("WindowCenter") not in (None, "") and dataset.get("WindowWidth") not in (None, "")
    if windowed:
        black, white = apply_windowing(np.array([-1e9, 1e9]), dataset)  # beyond both ends of any window
        values = apply_windowing(values, dataset)
    elif table := dataset.get("ModalityLUTSequence"):
        bits = int(table[0].LUTDescriptor[2])
        black, white = 0, 2**bits - 1
    else:
        largest = 2 ** (bits - int(dataset.PixelRepresentation)) - 1
        black, white = apply_modality_lut(np.array([0, largest]), dataset)
    levels = np.clip((values - float(black)) * (255 / float(white - black)), 0, 255).astype(np.float32)
    inverted = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
    assumed = not (windowed or inverted) and bits > 8
    return (255 - levels if inverted else levels), (float(abs(white - black)) if assumed else None)


def _spacing(dataset: Dataset) -> tuple[float, float] | None:
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    if not spacing or len(spacing) != 2:
        return None
    rows, columns = (float(value) for value in spacing)
    return (rows, columns) if rows > 0 and columns > 0 else None
