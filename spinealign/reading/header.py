"""Elements of a DICOM frame, from its functional groups or the top level of the file.

Optional elements with a bad value, such as a decimal comma or a window of width 0, are ignored with a note. Notes and
returned text never quote the file: it could name the patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset

# Defined terms for images (DICOM PS3.3 C.7.3.1.1.1). Other text is not passed on.
MODALITIES = frozenset({"CR", "CT", "DX", "IO", "MG", "MR", "NM", "OT", "PT", "PX", "RF", "RG", "US", "XA"})
# Functional groups (PS3.3 C.7.6.16.2) with elements that are at the top level of files without such groups.
_GROUPS = (
    "PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence", "PixelValueTransformationSequence",
    "FrameVOILUTSequence", "FrameContentSequence", "CTImageFrameTypeSequence", "MRImageFrameTypeSequence",
    "MREchoSequence", "MRDiffusionSequence", "TemporalPositionSequence", "CardiacSynchronizationSequence",
)  # fmt: skip
_CT_CLASSES = tuple(f"1.2.840.10008.5.1.4.1.1.2{end}" for end in ("", ".1", ".2"))
_BINARY = ("FD", "FL", "SL", "SS", "UL", "US", "US or SS")
_CAPTURE_CLASS = "1.2.840.10008.5.1.4.1.1.7"  # and, of several frames, .7.1 to .7.4


class Rescale(NamedTuple):
    """Map from stored values to rescaled ones (PS3.3 C.11.1)."""

    slope: float
    intercept: float


class Window(NamedTuple):
    """Rescaled values that are shown as black and white; between them, the map is linear or a sigmoid."""

    black: float
    white: float
    sigmoid: bool = False


class FrameHeader:
    """Elements of one frame of a dataset.

    Attributes:
        notes: Sentences about the elements that were ignored.
        has_groups: Whether the frame has functional groups, as in an enhanced image.
    """

    def __init__(self, dataset: Dataset, frame: int = 0) -> None:
        self.notes: list[str] = []
        groups = _group_items(dataset, frame)
        self.has_groups = bool(groups)
        self._items = [*groups, dataset]

    def numbers(self, name: str, count: int = 1) -> tuple[float, ...] | None:
        """Return the first `count` numbers of an element; None if it is missing, or ignored with a note."""
        for item in self._items:
            if _tag(name) in item:
                values = _numbers(item, name)
                if len(values) >= count:
                    return values[:count]
                self.ignore(name, "is not a number" if count == 1 else f"has fewer than {count} numbers")
                return None
        return None

    def number(self, name: str) -> float | None:
        """Return the first number of an element; None if it is missing, or ignored with a note."""
        values = self.numbers(name)
        return values[0] if values else None

    def texts(self, name: str) -> list[str]:
        """Return the values of an element as text, for comparisons; none if it is missing or cannot be decoded."""
        for item in self._items:
            if _tag(name) in item:
                try:
                    return _texts(item, name)
                except Exception:  # of many types, for damaged values
                    return []
        return []

    def text(self, name: str) -> str:
        """Return the first value of an element in upper case, for comparisons; empty if there is none."""
        return next((value.upper() for value in self.texts(name)), "")

    @property
    def modality(self) -> str | None:
        """Modality, if it is a defined term."""
        modality = self.text("Modality")
        return modality if modality in MODALITIES else None

    @property
    def spacing_mm(self) -> tuple[float, float] | None:
        """Distance between neighboring pixel centers down a column and along a row."""
        for name in ("PixelSpacing", "ImagerPixelSpacing"):
            if found := self.numbers(name, 2):
                if min(found) > 0:
                    return found[0], found[1]
                self.ignore(name, "is not positive")
        return None

    @property
    def position_mm(self) -> tuple[float, float, float] | None:
        """Center of the first pixel in patient coordinates (LPS)."""
        found = self.numbers("ImagePositionPatient", 3)
        return None if found is None else (found[0], found[1], found[2])

    @property
    def orientation(self) -> tuple[float, float, float, float, float, float] | None:
        """Unit vectors along a row and down a column in patient coordinates, orthogonal to each other."""
        found = self.numbers("ImageOrientationPatient", 6)
        if found is None:
            return None
        along, down = np.reshape(found, (2, 3))
        lengths = np.linalg.norm((along, down), axis=1)
        if not (np.allclose(lengths, 1, atol=0.01) and abs(along @ down) < 0.01):
            self.ignore("ImageOrientationPatient", "is not a pair of orthogonal unit vectors")
            return None
        x, y, z, u, v, w = (float(value) for value in (*along / lengths[0], *down / lengths[1]))
        return x, y, z, u, v, w

    @property
    def rescale(self) -> Rescale | None:
        """Slope and intercept; None if there is no usable intercept."""
        intercept, slope = self.number("RescaleIntercept"), self.number("RescaleSlope")
        if slope == 0:
            self.ignore("RescaleSlope", "is 0")
        return None if intercept is None else Rescale(slope or 1.0, intercept)

    @property
    def window(self) -> Window | None:
        """The first window (PS3.3 C.11.2.1.2)."""
        center, width = self.number("WindowCenter"), self.number("WindowWidth")
        if center is None or width is None:
            return None
        if width <= 0:
            self.ignore("WindowWidth", "is not positive")
            return None
        function = self.text("VOILUTFunction") or "LINEAR"
        if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
            self.ignore("VOILUTFunction", "is unknown")
        if function in ("LINEAR_EXACT", "SIGMOID") or width <= 1:
            return Window(center - width / 2, center + width / 2, function == "SIGMOID")
        return Window(center - width / 2, center + width / 2 - 1)

    @property
    def padding(self) -> tuple[float, float] | None:
        """Smallest and largest stored value of pixels outside of the image."""
        value = self.number("PixelPaddingValue")
        if value is None:
            return None
        limit = self.number("PixelPaddingRangeLimit")
        limit = value if limit is None else limit
        return min(value, limit), max(value, limit)

    def is_hounsfield(self, rescale: Rescale | None, bits: int) -> bool:
        """Return whether rescaled values, of `bits` stored bits, are HU.

        A secondary capture holds gray levels, even if it kept the rescale of its CT. The RSNA 2022 files have neither
        modality nor SOP class.
        """
        kind, modality, sop_class = self.text("RescaleType"), self.text("Modality"), self.text("SOPClassUID")
        if rescale is None or bits <= 8 or (kind and not kind.startswith("HU")):
            return False
        if modality:
            return modality == "CT" and not sop_class.startswith(_CAPTURE_CLASS)
        return sop_class in _CT_CLASSES or kind == "HU" or rescale.intercept <= -1000

    def is_capture(self, bits: int) -> bool:
        """Return whether an image that is not in HU, of `bits` stored bits, may have kept elements of its CT."""
        modality = self.text("Modality")
        return modality == "CT" or (not modality and bits <= 8)

    def ignore(self, name: str, problem: str) -> None:
        """Note that an element was ignored."""
        note = f"{name} {problem} and was ignored."
        if note not in self.notes:
            self.notes.append(note)


@lru_cache
def _tag(name: str) -> int:
    """Return the tag of an element, which pydicom looks up slowly."""
    from pydicom.tag import Tag

    return Tag(name)


def _group_items(dataset: Dataset, frame: int) -> list[Dataset]:
    """Return the items of the functional groups of a frame, before those that all frames share."""
    found = []
    for name, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        groups = dataset.get(name) or ()
        if index < len(groups):
            found += [groups[index][group][0] for group in _GROUPS if groups[index].get(group)]
    return found


def _numbers(item: Dataset, name: str) -> tuple[float, ...]:
    """Return the finite numbers of an element; none if one of its values is not a finite number."""
    try:
        values = tuple(float(text) for text in _texts(item, name))
    except Exception:  # of many types, for damaged values
        return ()
    return values if all(map(isfinite, values)) else ()


def _texts(item: Dataset, name: str) -> list[str]:
    """Return the values of an element as text, without the conversions of pydicom that fail for bad numbers."""
    from pydicom.datadict import dictionary_VR

    element = item.get_item(_tag(name))
    value = element.value
    if isinstance(value, bytes):  # not converted yet
        binary = (element.VR or dictionary_VR(name)) in _BINARY
        value = item[name].value if binary else value.decode("latin-1").split("\\")
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [text for value in values if value is not None and (text := str(value).strip(" \0"))]
