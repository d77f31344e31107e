"""Reader of single-frame DICOM images. Nothing that identifies the patient leaves this module."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import ImageError, UnreadableImageError, UnsupportedFormatError
from spinealign.imaging.muting import quiet
from spinealign.imaging.slice import Slice, check_size

if TYPE_CHECKING:
    from pydicom import Dataset

# Defined terms for images (DICOM PS3.3 C.7.3.1.1.1). Other text is not passed on: it could be a name.
_MODALITIES = frozenset({"CR", "CT", "DX", "IO", "MG", "MR", "NM", "OT", "PT", "PX", "RF", "RG", "US", "XA"})


def read_dicom(content: bytes, origin: str) -> Slice:
    """Decode a single-frame image.

    CT is rescaled to HU (DICOM PS3.3 C.7.6.16.2.9, C.11.1) and not inverted for MONOCHROME1, which concerns the display
    only. Images of other modalities are windowed by their header, and inverted for MONOCHROME1.

    Args:
        content: Bytes of the file.
        origin: Name of the image in messages.

    Returns:
        The slice, with spacing and modality if the header gives them.

    Raises:
        UnreadableImageError: If the file is damaged.
        UnsupportedFormatError: If it contains no image, several frames, or color.
    """
    import pydicom

    try:
        with quiet("pydicom"):
            return _slice_from(pydicom.dcmread(BytesIO(content), force=True), origin)
    except ImageError:
        raise
    except Exception as error:  # pydicom raises many types for damaged files; the text may quote the header
        raise UnreadableImageError(
            f"{origin} is damaged or uses an unknown DICOM compression ({type(error).__name__}); export it again."
        ) from None


def _slice_from(dataset: Dataset, origin: str) -> Slice:
    from pydicom.pixels import apply_modality_lut

    if "PixelData" not in dataset:
        raise UnsupportedFormatError(f"{origin} is a DICOM object without an image; pass an image file.")
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise UnsupportedFormatError(f"{origin} has several frames; pass one frame as an array.")
    if int(dataset.get("SamplesPerPixel") or 1) != 1:
        raise UnsupportedFormatError(f"{origin} is a color image; pass a gray image.")
    check_size(int(dataset.Rows), int(dataset.Columns), origin=origin)
    values = np.asarray(apply_modality_lut(dataset.pixel_array, dataset), np.float32)
    spacing_mm = _spacing(dataset)
    if _is_ct(dataset):
        return Slice(values, unit="HU", spacing_mm=spacing_mm, modality="CT", origin=origin)
    modality = str(dataset.get("Modality") or "")
    return Slice(
        _displayed(dataset, values),
        spacing_mm=spacing_mm,
        modality=modality if modality in _MODALITIES else None,
        origin=origin,
    )


def _is_ct(dataset: Dataset) -> bool:
    """Return whether the rescaled values are HU.

    A screenshot of a CT has no rescale, and the RSNA 2022 files have no modality.
    """
    from pydicom.uid import CTImageStorage

    if "RescaleIntercept" not in dataset:
        return False
    modality = dataset.get("Modality")
    if modality:
        return str(modality) == "CT"
    return (
        dataset.get("SOPClassUID") == CTImageStorage
        or dataset.get("RescaleType") == "HU"
        or float(dataset.RescaleIntercept or 0) <= -1000
    )


def _displayed(dataset: Dataset, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return gray levels as a viewer shows them: by the header's window, or else stretched to the full range."""
    from pydicom.pixels import apply_windowing

    values = np.asarray(apply_windowing(values, dataset), np.float32)
    low, high = float(values.min()), float(values.max())
    levels = (values - low) * np.float32(255 / max(high - low, 1e-6))
    return 255 - levels if dataset.get("PhotometricInterpretation") == "MONOCHROME1" else levels


def _spacing(dataset: Dataset) -> tuple[float, float] | None:
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    if not spacing or len(spacing) != 2:
        return None
    rows, columns = (float(value) for value in spacing)
    return (rows, columns) if rows > 0 and columns > 0 else None
