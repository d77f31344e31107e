"""Reader of DICOM images, frame by frame. Nothing that identifies the patient leaves this module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.errors import ImageError, UnreadableImageError, UnsupportedFormatError
from spinealign.imaging.slice import Slice
from spinealign.reading.codestreams import coded_image
from spinealign.reading.header import FrameHeader, Window
from spinealign.reading.inflating import RAW, inflate
from spinealign.reading.raster import read_array, read_pillow
from spinealign.reading.request import Request

if TYPE_CHECKING:
    from pydicom import Dataset

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_JPEG_FAMILY = "1.2.840.10008.1.2.4."  # transfer syntaxes of JPEG, JPEG-LS and JPEG 2000
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_BLACK_HU = -1000.0  # air
_STACKED = ("CT", "MR", "NM", "PT")  # modalities whose series are stacks of slices
_SERIES = ["Modality", "SeriesInstanceUID", "NumberOfFrames"]
_REQUIRED = ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel", "PhotometricInterpretation")
_REQUIRED_WHOLE = ("BitsStored", "PixelRepresentation")  # of PixelData, which are whole numbers


@dataclass(frozen=True, eq=False)
class Frame:
    """Rescaled values of one gray frame, before they are mapped to gray levels.

    Attributes:
        values: HU, or values that the modality defines, float32 of shape (H, W).
        padding: True for pixels outside of the image; None if there are none.
        hounsfield: Whether the values are HU.
        window: Values that are shown as black and white.
        assumed: Whether white is only the largest value that can be stored.
        header: Elements of the frame.
        table_bits: Number of bits of `values`, if they come from a table of the file; 0 otherwise.
    """

    values: NDArray[np.float32]
    padding: NDArray[np.bool_] | None
    hounsfield: bool
    window: Window
    assumed: bool
    header: FrameHeader
    table_bits: int = 0

    def filled(self, black: float) -> NDArray[np.float32]:
        """Return the values with padding at `black`."""
        return self.values if self.padding is None else np.where(self.padding, np.float32(black), self.values)


def is_dataset(source: object) -> bool:
    """Return whether an object is a dataset of pydicom, without importing it."""
    pydicom = sys.modules.get("pydicom")
    return pydicom is not None and isinstance(source, pydicom.Dataset)


def read_dicom(source: bytes | Dataset, request: Request) -> Slice:
    """Decode a frame of an image.

    CT is rescaled to HU (DICOM PS3.3 C.7.6.16.2.9, C.11.1) and not inverted for MONOCHROME1, which concerns the display
    only. Images of other modalities are windowed by their header or, without a window, scaled from 0 to the largest
    value of `BitsStored`, and inverted for MONOCHROME1. Secondary captures are gray levels. Color is read as in other
    image files, and padding is black.

    Raises:
        UnreadableImageError: If the file is damaged.
        UnsupportedFormatError: If it contains no image, or several frames of which none is requested.
    """
    with open_dicom(source, request) as dataset:
        stored = decode_frame(dataset, request)
        color, index = color_frame(dataset, stored), request.frame or 0
        header = FrameHeader(dataset, index)
        if color is not None:
            image = read_pillow(Image.fromarray(color), request)
        elif stored.dtype.kind == "f":
            image = read_array(stored, request)
        else:
            frame = read_frame(stored, dataset, header=header)
            if frame.hounsfield:
                image = Slice(hounsfield(frame), unit="HU", origin=request.origin)
            else:
                white = abs(frame.window.white - frame.window.black) if frame.assumed else None
                image = Slice(display(frame), origin=request.origin, assumed_white=white)
        number = header.number("InstanceNumber") if frame_count(dataset) == 1 else index + 1
        return replace(
            image,
            spacing_mm=header.spacing_mm,
            modality="CT" if image.unit == "HU" else header.modality,
            position_mm=header.position_mm,
            orientation=header.orientation,
            instance=None if number is None else int(number),
            notes=tuple(header.notes),
        )


@contextmanager
def open_dicom(source: bytes | Dataset, request: Request) -> Iterator[Dataset]:
    """Open an image; in the block, pydicom is muted and its errors become those of `read_dicom`."""
    import pydicom

    with request.typed_errors("damaged or uses an unknown DICOM compression"):
        if isinstance(source, bytes):
            _check_deflated(source, request)
            source = pydicom.dcmread(BytesIO(source), force=True)
        _check_image(source, request)
        yield source


def decode_frame(dataset: Dataset, request: Request) -> NDArray[Any]:
    """Return the stored values of a frame, of shape (H, W), or (H, W, 3) for color in RGB, as pydicom decodes them."""
    from pydicom.encaps import get_frame
    from pydicom.pixels import pixel_array

    frame = request.frame_of(frame_count(dataset))
    _check_elements(dataset, request)
    request.check_size(int(dataset.Rows), int(dataset.Columns))
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        _check_coded(dataset, get_frame(dataset.PixelData, frame, number_of_frames=frame_count(dataset)), request)
    return pixel_array(dataset, index=frame)


def frame_count(dataset: Dataset) -> int:
    """Return the number of frames of an image."""
    return int(dataset.get("NumberOfFrames") or 1)


def count_frames(source: bytes | Dataset) -> int:
    """Return the number of frames of an image; 1 if it cannot be read."""
    try:
        with open_dicom(source, Request("")) as dataset:
            return frame_count(dataset)
    except ImageError:
        return 1


def stack_of(content: bytes) -> str | None:
    """Return the identifier of the series of a file, if the series of its modality are stacks of slices.

    It identifies the patient, so it must not be kept.
    """
    import pydicom

    with suppress(ImageError), Request("").typed_errors():
        dataset = pydicom.dcmread(BytesIO(content), stop_before_pixels=True, force=True, specific_tags=_SERIES)
        if dataset.get("Modality") in _STACKED and frame_count(dataset) == 1:
            return str(dataset.get("SeriesInstanceUID") or "") or None
    return None


def check_frames(dataset: Dataset, request: Request) -> None:
    """Compare the number of frames with the pixel data, because each missing frame takes time to fail.

    Raises:
        UnreadableImageError: If an element that an image needs is missing, or if there are fewer frames than stated.
    """
    from pydicom.encaps import parse_fragments
    from pydicom.pixels.utils import get_expected_length

    _check_elements(dataset, request)
    content = next(dataset[name].value for name in _PIXELS if name in dataset)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        short = parse_fragments(content)[0] < frame_count(dataset)
    else:
        short = len(content) < get_expected_length(dataset)
    if short:
        raise UnreadableImageError(
            f"{request.origin} has less pixel data than its header states; copy or export it again."
        )


def is_hounsfield(dataset: Dataset, header: FrameHeader) -> bool:
    """Return whether the rescaled values of a frame are HU."""
    return header.is_hounsfield(header.rescale, _bits(dataset))


def _bits(dataset: Dataset) -> int:
    """Return the number of bits of the values before the window."""
    table = dataset.get("ModalityLUTSequence")
    return int(table[0].LUTDescriptor[2]) if table else int(dataset.get("BitsStored") or 32)


def read_frame(stored: NDArray[Any], dataset: Dataset, *, header: FrameHeader) -> Frame:
    """Rescale the stored values of a gray frame, of shape (H, W)."""
    from pydicom.pixels import apply_modality_lut

    rescale, bits = header.rescale, _bits(dataset)
    hounsfield = header.is_hounsfield(rescale, bits)
    ignored = not hounsfield and header.is_capture(bits)
    table_bits = bits if dataset.get("ModalityLUTSequence") else 0
    if table_bits:
        values, ends = apply_modality_lut(stored, dataset), np.array([0, 2**bits - 1])
    else:
        ends = np.array([0, 2 ** (bits - int(dataset.get("PixelRepresentation") or 0)) - 1])
        slope, intercept = (1.0, 0.0) if rescale is None or ignored else rescale
        values, ends = stored * slope + intercept, ends * slope + intercept
    window = header.window
    if window and ignored and not ends[0] - 1 <= window.black < window.white <= ends[1] + 1:
        window = None  # of the values before the capture
    if window is None and not (hounsfield or ignored) and (mapped := _apply_voi(values, dataset, header)):
        values, table_bits = mapped
        window = Window(0.0, 2.0**table_bits - 1)
    inverted = header.text("PhotometricInterpretation") == "MONOCHROME1"
    assumed = not (window or inverted) and bits > 8
    window = window or Window(float(ends[0]), float(ends[1]))
    return Frame(values.astype(np.float32), _padding(header, stored), hounsfield, window, assumed, header, table_bits)


def _apply_voi(values: NDArray[Any], dataset: Dataset, header: FrameHeader) -> tuple[NDArray[Any], int] | None:
    """Return values after the VOI LUT of a file (PS3.3 C.11.2.1.1), and their bits; None without a usable one."""
    from pydicom.pixels import apply_voi

    if not dataset.get("VOILUTSequence"):
        return None
    with suppress(Exception):  # of many types, for damaged tables
        count, _, bits = dataset.VOILUTSequence[0].LUTDescriptor
        if bits > 8 or 0 < count <= 256:  # larger tables of 8 bits wrap around in pydicom 3.0
            return apply_voi(np.round(values).astype(np.int32), dataset), int(bits)
    header.ignore("VOILUTSequence", "cannot be applied")
    return None


def display(frame: Frame) -> NDArray[np.float32]:
    """Return gray levels as a viewer shows them, from 0 to 255."""
    black, white, sigmoid = frame.window
    share = (frame.values - black) / (white - black)
    if sigmoid:
        share = 1 / (1 + np.exp(-4 * (share - 0.5)))
    levels = np.clip(share * 255, 0, 255)
    if frame.header.text("PhotometricInterpretation") == "MONOCHROME1":
        levels = 255 - levels
    return (levels if frame.padding is None else np.where(frame.padding, 0, levels)).astype(np.float32)


def hounsfield(frame: Frame) -> NDArray[np.float32]:
    """Return HU, with padding at most as bright as air."""
    if frame.padding is None:
        return frame.values
    return np.where(frame.padding, np.minimum(frame.values, _BLACK_HU), frame.values).astype(np.float32)


def color_frame(dataset: Dataset, stored: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Return a color frame as RGB of shape (H, W, 3), with its palette applied; None for a gray frame."""
    from pydicom.pixels import apply_color_lut

    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR" and stored.ndim == 2:
        stored = apply_color_lut(stored, dataset)[..., :3]
        return (stored >> 8).astype(np.uint8) if stored.dtype == np.uint16 else stored
    if stored.ndim == 2:
        return None
    return (stored >> max(int(dataset.BitsStored) - 8, 0)).astype(np.uint8)


def _check_coded(dataset: Dataset, content: bytes, request: Request) -> None:
    """Compare a coded frame with its header: decoders may allocate what the frame says, or end the process."""
    if not dataset.file_meta.TransferSyntaxUID.startswith(_JPEG_FAMILY):
        return
    coded = coded_image(content)
    if coded:
        request.check_size(coded.height, coded.width)
    stated = int(dataset.Rows), int(dataset.Columns), int(dataset.SamplesPerPixel)
    if coded is None or coded[:3] != stated or coded.bits > int(dataset.BitsAllocated):
        raise UnreadableImageError(f"{request.origin} has coded pixels that differ from its header; export it again.")


def _check_elements(dataset: Dataset, request: Request) -> None:
    """Check that no element is missing without which pixels have no meaning."""
    needed = _REQUIRED + (_REQUIRED_WHOLE if "PixelData" in dataset else ())
    missing = [name for name in needed if dataset.get(name) is None]
    if "TransferSyntaxUID" not in getattr(dataset, "file_meta", ()):
        missing.append("TransferSyntaxUID")
    if missing:
        raise UnreadableImageError(
            f"{request.origin} lacks {', '.join(missing)}, which an image needs; export it again."
        )
    if "PixelData" in dataset and int(dataset.get("HighBit") or 0) >= int(dataset.BitsStored) > 0:
        raise UnreadableImageError(
            f"{request.origin} has values of {dataset.BitsStored} bits that end at bit {dataset.HighBit}, which is not "
            "read; export it again."
        )


def _check_image(dataset: Dataset, request: Request) -> None:
    if not any(name in dataset for name in _PIXELS):
        raise UnsupportedFormatError(f"{request.origin} is a DICOM object without an image; pass an image file.")
    if int(dataset.get("SamplesPerPixel") or 1) > 1 and str(dataset.get("PhotometricInterpretation")).startswith(
        "MONO"
    ):
        raise UnsupportedFormatError(f"{request.origin} is declared as gray and as color; export it again.")


def _check_deflated(content: bytes, request: Request) -> None:
    """Inflate a deflated file within limits, before pydicom inflates it without any."""
    if _DEFLATED in content[:1024] and content[128:132] == b"DICM":
        start = 144 + int.from_bytes(content[140:144], "little")  # after the file meta information
        inflate(content[start:], request, form=RAW)


def _padding(header: FrameHeader, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    if header.padding is None or stored.dtype.kind not in "iu":
        return None
    low, high = header.padding
    wrap = 2.0 ** (8 * stored.dtype.itemsize)  # the value may be written with the wrong sign
    if stored.dtype.kind == "i" and high >= wrap / 2:
        low, high = low - wrap, high - wrap
    elif stored.dtype.kind == "u" and low < 0:
        low, high = low + wrap, high + wrap
    found = (stored >= low) & (stored <= high)
    return found if found.any() else None
